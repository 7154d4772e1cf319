import { ofKind, podsOf, portOf, selects, type Manifest, type Pods, type Selector } from '../manifests.ts';

/** Who has to reach whom, by the names of their workloads. */
const WAYS = [
  ['nginx', 'booking', 3000],
  ['booking', 'postgres', 5432],
  ['booking', 'redis', 6379],
  ['migrate', 'postgres', 5432],
] as const;

/** Prometheus, in a namespace of its own. */
const SCRAPER = {
  of: 'Prometheus',
  name: '',
  labels: { 'kubernetes.io/metadata.name': 'monitoring' },
  spec: null,
};

const OUTSIDE = { of: 'the outside', name: '', labels: {}, spec: null };

/** The policies leave the ways open that are needed, and no other. A server that is elsewhere is outside. */
export function network(objects: readonly Manifest[]): string[] {
  const pods = podsOf(objects);
  const find = (name: string) => pods.find((one) => one.name === name);
  // Where Redis is elsewhere, sentinels may be too.
  const ways = find('redis') ? WAYS : [...WAYS, ['booking', 'sentinel', 26_379] as const];
  const needed = ways.flatMap(([from, to, port]) => {
    const source = find(from);
    return source ? [{ from: source, to: find(to) ?? OUTSIDE, port }] : [];
  });
  const closed = needed
    .filter(({ from, to, port }) => !isOpen(objects, from, to, port))
    .map(({ from, to, port }) => `${from.of} cannot reach ${to.of} at ${port}`);
  const unneeded = pods
    .flatMap((from) => pods.flatMap((to) => portsOf(to).map((port) => ({ from, to, port }))))
    // nginx is the door: open to all.
    .filter(
      ({ from, to }) =>
        from !== to && to.name !== 'nginx' && !needed.some((way) => way.from === from && way.to === to),
    )
    .filter(({ from, to, port }) => isOpen(objects, from, to, port))
    .map(({ from, to, port }) => `${from.of} can reach ${to.of} at ${port}`);
  const nameless = pods
    .filter((from) => from.spec !== null && !allows(objects, 'egress', from, OUTSIDE, 53))
    .map((from) => `${from.of} cannot ask for names`);
  const booking = find('booking');
  const unseen = booking && !allows(objects, 'ingress', booking, SCRAPER, portOf(booking, 'metrics') ?? 0);
  const door = find('nginx');
  const shut = door && !allows(objects, 'ingress', door, OUTSIDE, portOf(door, 'http') ?? 0);
  return [
    ...closed,
    ...unneeded,
    ...nameless,
    ...(shut ? ['nobody can reach nginx'] : []),
    ...(unseen ? ['Prometheus cannot reach booking'] : []),
  ];
}

function isOpen(objects: readonly Manifest[], from: Pods, to: Pods, port: number): boolean {
  return allows(objects, 'egress', from, to, port) && allows(objects, 'ingress', to, from, port);
}

/** Whoever no policy names may everything; whoever one names may what one of these policies says. */
function allows(
  objects: readonly Manifest[],
  way: 'ingress' | 'egress',
  subject: Pods,
  other: Pods,
  port: number,
): boolean {
  if (subject === OUTSIDE) return true;
  const type = way === 'ingress' ? 'Ingress' : 'Egress';
  const policies = ofKind(objects, 'NetworkPolicy').filter(
    ({ spec }) => spec?.policyTypes?.includes(type) && selects(spec.podSelector as Selector, subject.labels),
  );
  if (policies.length === 0) return true;
  const listener = way === 'ingress' ? subject : other;
  return policies.some(({ spec }) => {
    const rules =
      way === 'ingress'
        ? (spec?.ingress ?? []).map((rule) => ({ peers: rule.from, ports: rule.ports }))
        : (spec?.egress ?? []).map((rule) => ({ peers: rule.to, ports: rule.ports }));
    return rules.some(({ peers, ports }) => {
      const isPeer = peers === undefined || peers.some((peer) => isMeant(peer, other));
      const isPort = ports === undefined || ports.some((one) => numberOf(listener, one.port) === port);
      return isPeer && isPort;
    });
  });
}

function isMeant(
  peer: { podSelector?: unknown; namespaceSelector?: unknown; ipBlock?: unknown },
  pods: Pods,
): boolean {
  if (peer.ipBlock !== undefined) return pods === OUTSIDE;
  if (pods === SCRAPER) {
    return (
      peer.namespaceSelector !== undefined && selects(peer.namespaceSelector as Selector, SCRAPER.labels)
    );
  }
  // Of other namespaces: none of our pods.
  if (peer.namespaceSelector !== undefined) return false;
  return pods !== OUTSIDE && selects(peer.podSelector ?? {}, pods.labels);
}

function numberOf(pods: Pods, port: string | number | undefined): number | undefined {
  return typeof port === 'string' ? portOf(pods, port) : port;
}

function portsOf(pods: Pods): number[] {
  return (pods.spec?.containers ?? []).flatMap(({ ports = [] }) =>
    ports.map(({ containerPort }) => containerPort),
  );
}
