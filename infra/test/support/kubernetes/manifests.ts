import type { IDeployment, IStatefulSet } from 'kubernetes-models/apps/v1';
import type { IHorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2';
import type { IJob } from 'kubernetes-models/batch/v1';
import type { INetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1';
import type { IPodDisruptionBudget } from 'kubernetes-models/policy/v1';
import type { IConfigMap, IContainer, IPodSpec, ISecret, IService } from 'kubernetes-models/v1';
import { parseAllDocuments } from 'yaml';

/** What all objects have in common; `ofKind` tells more. */
export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Labels };
}

export type Labels = Record<string, string>;

interface Kinds {
  ConfigMap: IConfigMap;
  Deployment: IDeployment;
  HorizontalPodAutoscaler: IHorizontalPodAutoscaler;
  Job: IJob;
  NetworkPolicy: INetworkPolicy;
  PodDisruptionBudget: IPodDisruptionBudget;
  Secret: ISecret;
  Service: IService;
  StatefulSet: IStatefulSet;
}

export function parseManifests(text: string): Manifest[] {
  return parseAllDocuments(text).map((document) => document.toJS() as Manifest);
}

export function ofKind<K extends keyof Kinds>(
  objects: readonly Manifest[],
  kind: K,
): (Kinds[K] & Manifest)[] {
  return objects.filter((object) => object.kind === kind) as unknown as (Kinds[K] & Manifest)[];
}

export const nameOf = ({ kind, metadata }: Manifest) => `${kind} ${metadata.name}`;

/** What is wrong with something, in whole sentences; what is false is not. */
export function findings(of: string, wrong: readonly (string | false)[]): string[] {
  return wrong.flatMap((what) => (what === false ? [] : [`${of} ${what}`]));
}

/** The pods that a workload makes, all of them by one template. */
export interface Pods {
  /** Its name for people. */
  of: string;
  name: string;
  labels: Labels;
  /** Null where an operator makes them: then only their labels are known. */
  spec: IPodSpec | null;
}

export function podsOf(objects: readonly Manifest[]): Pods[] {
  const workloads = (['Deployment', 'StatefulSet', 'Job'] as const).flatMap((kind) => ofKind(objects, kind));
  const ours = workloads.map((workload) => {
    const { metadata, spec = null } = workload.spec?.template ?? {};
    return { of: nameOf(workload), name: workload.metadata.name, labels: metadata?.labels ?? {}, spec };
  });
  const operators = objects.filter(({ apiVersion }) => apiVersion.startsWith('postgresql.cnpg.io/'));
  const theirs = operators.map((cluster) => {
    const { name } = cluster.metadata;
    return { of: nameOf(cluster), name, labels: { 'cnpg.io/cluster': name }, spec: null };
  });
  return [...ours, ...theirs];
}

export function containersOf({ spec }: Pods): IContainer[] {
  return [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])];
}

export interface Selector {
  matchLabels?: Labels;
  matchExpressions?: { key: string; operator: string; values?: string[] }[];
}

/** An empty selector takes everything. */
export function selects({ matchLabels = {}, matchExpressions = [] }: Selector, labels: Labels): boolean {
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      if (operator !== 'In') throw new Error(`the check knows no operator ${operator}`);
      return values.includes(labels[key] ?? '');
    })
  );
}

/** The number of a container's port, which others may call by its name. */
export function portOf(pods: Pods, port: string | number): number | undefined {
  const ports = containersOf(pods).flatMap(({ ports = [] }) => ports);
  return ports.find(({ name, containerPort }) => name === port || containerPort === port)?.containerPort;
}

/** The variables of a container, where their values are known: not those of a Secret that is made elsewhere. */
export function environmentOf(
  objects: readonly Manifest[],
  container: IContainer,
): Record<string, string | null> {
  const fromMaps = (container.envFrom ?? []).map(({ configMapRef }) => dataOf(objects, configMapRef?.name));
  const single = (container.env ?? []).map(({ name, value, valueFrom }) => {
    const { secretKeyRef, fieldRef } = valueFrom ?? {};
    if (fieldRef !== undefined) return [name, `of-${fieldRef.fieldPath}`] as const;
    if (secretKeyRef === undefined) return [name, value ?? ''] as const;
    const isMade = ofKind(objects, 'Secret').some(({ metadata }) => metadata.name === secretKeyRef.name);
    // Of one that is made here a key that is missing is no variable.
    const missing = isMade ? undefined : null;
    return [name, dataOf(objects, secretKeyRef.name)[secretKeyRef.key] ?? missing] as const;
  });
  const given = single.filter(([, value]) => value !== undefined);
  return Object.assign({}, ...fromMaps, Object.fromEntries(given)) as Record<string, string | null>;
}

/** What a ConfigMap or a Secret holds, in plain text. */
export function dataOf(objects: readonly Manifest[], name: string | undefined): Record<string, string> {
  const map = ofKind(objects, 'ConfigMap').find(({ metadata }) => metadata.name === name);
  const secret = ofKind(objects, 'Secret').find(({ metadata }) => metadata.name === name);
  const coded = Object.entries((secret?.data ?? {}) as Record<string, string>);
  const plain = coded.map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]);
  return {
    ...((map?.data ?? {}) as Record<string, string>),
    ...(Object.fromEntries(plain) as Record<string, string>),
  };
}

/** The objects of kustomize's generators carry a hash behind their name: `nginx-m87d2k2bmd`. */
export function generated(objects: readonly Manifest[], name: string): Record<string, string> {
  const hit = ofKind(objects, 'ConfigMap').find(({ metadata }) =>
    new RegExp(`^${name}-[a-z0-9]{10}$`).test(metadata.name),
  );
  if (hit === undefined) throw new Error(`no ConfigMap ${name} is generated`);
  return hit.data ?? {};
}
