import { containersOf, dataOf, generated, ofKind, podsOf, type Manifest } from '../manifests.ts';

/** The Secrets that are made outside of the manifests, and what has to be in them (README.md). */
const MADE_ELSEWHERE: Record<string, readonly string[]> = {
  servers: ['DATABASE_URL', 'REDIS_URL', 'REDIS_SENTINELS', 'REDIS_PRIMARY_NAME', 'BOOKING_KEY', 'OPERATORS'],
  'postgres-app': ['uri'], // by the operator, for the Cluster of that name
};

/** nginx does not start without a file that it includes; one with brackets in its name may be missing. */
export function includes(objects: readonly Manifest[]): string[] {
  const files = generated(objects, 'nginx');
  const included = (files['nginx.conf'] ?? '').matchAll(/^ *include ([\w.-]+);/gm);
  return [...included].flatMap(([, name = '']) =>
    name in files ? [] : [`nginx.conf includes ${name}, which is not there`],
  );
}

/** A pod that names a ConfigMap, a Secret or a key that is not there does not start. */
export function references(objects: readonly Manifest[]): string[] {
  const maps = new Set(ofKind(objects, 'ConfigMap').map(({ metadata }) => metadata.name));
  const secrets = new Set(ofKind(objects, 'Secret').map(({ metadata }) => metadata.name));
  const claims = ofKind(objects, 'StatefulSet').flatMap(({ spec }) => spec?.volumeClaimTemplates ?? []);
  const isClaim = (name: string) => claims.some(({ metadata }) => metadata?.name === name);

  return podsOf(objects).flatMap((pods) => {
    const volumes = pods.spec?.volumes ?? [];
    const containers = containersOf(pods);
    const mapNames = [
      ...volumes.flatMap(({ configMap }) => configMap?.name ?? []),
      ...containers.flatMap(({ envFrom = [] }) =>
        envFrom.flatMap(({ configMapRef }) => configMapRef?.name ?? []),
      ),
    ];
    const keys = containers.flatMap(({ env = [] }) =>
      env.flatMap(({ valueFrom }) => valueFrom?.secretKeyRef ?? []),
    );
    const mounts = containers.flatMap(({ volumeMounts = [] }) => volumeMounts);
    return [
      ...mapNames.filter((name) => !maps.has(name)).map((name) => `the ConfigMap ${name}`),
      ...keys.flatMap(({ name = '', key, optional }) => {
        const isMade = secrets.has(name);
        const known = isMade ? Object.keys(dataOf(objects, name)) : (MADE_ELSEWHERE[name] ?? []);
        const mayBeMissing = isMade && optional === true;
        return known.includes(key) || mayBeMissing ? [] : [`the key ${key} of the Secret ${name}`];
      }),
      ...mounts
        .filter(({ name }) => !volumes.some((volume) => volume.name === name) && !isClaim(name))
        .map(({ name }) => `the volume ${name}`),
    ].map((missing) => `${pods.of} names ${missing}, which is not there`);
  });
}
