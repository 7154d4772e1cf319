import { nameOf, ofKind, podsOf, selects, type Manifest, type Selector } from '../manifests.ts';

/** Whatever chooses pods chooses some: a selector that fits none is silently without effect. */
export function selectors(objects: readonly Manifest[]): string[] {
  const pods = podsOf(objects);
  return selectorsOf(objects).flatMap(({ by, selector }) =>
    pods.some(({ labels }) => selects(selector, labels)) ? [] : [`${by} selects no pod`],
  );
}

function selectorsOf(objects: readonly Manifest[]): { by: string; selector: Selector }[] {
  const services = ofKind(objects, 'Service').map((service) => {
    const selector = { matchLabels: (service.spec?.selector ?? {}) as Record<string, string> };
    return { by: nameOf(service), selector };
  });
  const budgets = ofKind(objects, 'PodDisruptionBudget').map((budget) => {
    return { by: nameOf(budget), selector: budget.spec?.selector ?? {} };
  });
  const policies = ofKind(objects, 'NetworkPolicy').flatMap((policy) => {
    const { podSelector, ingress = [], egress = [] } = policy.spec ?? {};
    const peers = [...ingress.map((rule) => rule.from ?? []), ...egress.map((rule) => rule.to ?? [])].flat();
    const ours = peers.flatMap((peer) =>
      peer.podSelector !== undefined && peer.namespaceSelector === undefined ? [peer.podSelector] : [],
    );
    return [podSelector, ...ours].map((selector) => ({ by: nameOf(policy), selector: selector as Selector }));
  });
  return [...services, ...budgets, ...policies];
}

/** A workload's own selector takes its own pods, and nobody else's; its spread counts its own. */
export function ownPods(objects: readonly Manifest[]): string[] {
  const pods = podsOf(objects);
  return (['Deployment', 'StatefulSet'] as const)
    .flatMap((kind) => ofKind(objects, kind))
    .flatMap((workload) => {
      const name = nameOf(workload);
      const spread = workload.spec?.template.spec?.topologySpreadConstraints ?? [];
      const all = [workload.spec?.selector, ...spread.map(({ labelSelector }) => labelSelector)];
      return all.flatMap((selector) => {
        const taken = pods.filter(({ labels }) => selects(selector ?? {}, labels));
        return taken.length === 1 && taken[0]?.of === name
          ? []
          : [`${name} does not select its own pods alone`];
      });
    });
}

/** Autoscalers scale something that exists and that says nothing of its replicas, or each apply would undo their work. */
export function autoscalers(objects: readonly Manifest[]): string[] {
  return ofKind(objects, 'HorizontalPodAutoscaler').flatMap((scaler) => {
    const { scaleTargetRef: target } = scaler.spec ?? {};
    const workload = ofKind(objects, 'Deployment').find(
      ({ kind, metadata }) => kind === target?.kind && metadata.name === target.name,
    );
    if (workload === undefined) return [`${nameOf(scaler)} scales nothing that there is`];
    return workload.spec?.replicas === undefined
      ? []
      : [`${nameOf(workload)} names its replicas, and is scaled`];
  });
}
