import { containersOf, findings, podsOf, type Manifest } from '../manifests.ts';

const VOLUMES = new Set([
  'name',
  'configMap',
  'emptyDir',
  'secret',
  'projected',
  'persistentVolumeClaim',
  'downwardAPI',
]);

/**
 * The profile `restricted` of Kubernetes' Pod Security Standards, which the namespace enforces, and beyond it: a number for
 * the user, files that nobody can change, no credentials of the cluster, and a bound on memory.
 */
export function restricted(objects: readonly Manifest[]): string[] {
  const namespace = objects.find(({ kind }) => kind === 'Namespace');
  const isEnforced = namespace?.metadata.labels?.['pod-security.kubernetes.io/enforce'] === 'restricted';
  const ours = podsOf(objects).filter(({ spec }) => spec !== null);
  const wrong = ours.flatMap((pods) => {
    const {
      securityContext: forAll,
      automountServiceAccountToken,
      volumes = [],
      ...spec
    } = pods.spec ?? { containers: [] };
    const shares = [spec.hostNetwork, spec.hostPID, spec.hostIPC].includes(true);
    return findings(pods.of, [
      forAll?.runAsNonRoot !== true && 'may run as root',
      !(Number(forAll?.runAsUser) > 0) && 'has no number for its user',
      forAll?.seccompProfile?.type !== 'RuntimeDefault' && 'has no seccomp profile',
      automountServiceAccountToken !== false && 'has credentials of the cluster',
      shares && 'shares what is the node’s',
      volumes.some((volume) => !Object.keys(volume).every((key) => VOLUMES.has(key))) &&
        'mounts what is the node’s',
      ...containersOf(pods).flatMap(({ securityContext, resources, ports = [] }) => [
        securityContext?.allowPrivilegeEscalation !== false && 'may gain privileges',
        securityContext?.readOnlyRootFilesystem !== true && 'can change its files',
        securityContext?.capabilities?.drop?.includes('ALL') !== true && 'keeps capabilities',
        securityContext?.privileged === true && 'is privileged',
        ports.some(({ hostPort }) => hostPort !== undefined) && 'takes a port of the node',
        resources?.limits?.['memory'] === undefined && 'has no bound on its memory',
        resources?.requests?.['cpu'] === undefined && 'asks for no CPU, so nothing can be planned',
      ]),
    ]);
  });
  return isEnforced ? wrong : ['the namespace enforces nothing', ...wrong];
}
