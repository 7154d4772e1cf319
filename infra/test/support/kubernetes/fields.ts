import { nameOf, type Manifest } from './manifests.ts';

/**
 * Types and required fields are checked by the validators of `kubernetes-models`, which are generated from the API's own
 * description. They let unknown fields pass, and kubectl would too: a misspelt one is ignored by the cluster, or refused
 * in front of it. But a validator asks an object for each field that it knows, so a field that it has not asked for is one
 * that it does not know. An object that it asks for nothing is free in its fields, as labels are.
 */
export async function findWrongFields(object: Manifest): Promise<string[]> {
  const Model = await modelOf(object);
  if (Model === null) return [`${nameOf(object)}: no package tells what a ${object.apiVersion} has`];
  const unknown: (() => string[])[] = [];
  const watched = watch(object, '', unknown);
  const wrong: string[] = [];
  try {
    Model.prototype.validate.call(watched);
  } catch (error) {
    wrong.push((error as Error).message);
  }
  const findings = [...wrong, ...unknown.flatMap((find) => find())];
  return findings.map((finding) => `${nameOf(object)}: ${finding}`);
}

interface Model {
  prototype: { validate(): void };
}

/** Where the types of custom kinds come from; the cluster's own are those of `kubernetes-models`. */
const packages: Record<string, string> = {
  'postgresql.cnpg.io': '@kubernetes-models/cloudnative-pg',
  'monitoring.coreos.com': '@kubernetes-models/prometheus-operator',
};

async function modelOf({ apiVersion, kind }: Manifest): Promise<Model | null> {
  const [group = ''] = apiVersion.split('/');
  const path = `${packages[group] ?? 'kubernetes-models'}/${apiVersion}/${kind}`;
  try {
    const module = (await import(path)) as Record<string, Model>;
    return module[kind] ?? null;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ERR_MODULE_NOT_FOUND' || code === 'ERR_PACKAGE_PATH_NOT_EXPORTED') return null;
    throw error;
  }
}

function watch(value: unknown, path: string, unknown: (() => string[])[]): unknown {
  if (Array.isArray(value)) return value.map((item, index) => watch(item, `${path}[${index}]`, unknown));
  if (value === null || typeof value !== 'object') return value;
  const keys = Object.keys(value);
  const asked = new Set<string | symbol>();
  unknown.push(() =>
    keys.flatMap((key) =>
      asked.size > 0 && !asked.has(key) ? [`nobody knows the field ${path}.${key}`] : [],
    ),
  );
  const inner = Object.fromEntries(
    Object.entries(value).map(([key, child]) => [key, watch(child, `${path}.${key}`, unknown)]),
  );
  return new Proxy(inner, {
    get(target, key) {
      asked.add(key);
      return Reflect.get(target, key) as unknown;
    },
  });
}
