import { membersOf } from '../../redundant/members.ts';
import type { Container } from './containers.ts';

/** In the order in which a request meets them. */
const order = [
  'nginx',
  'booking',
  'router',
  ...['redis', 'sentinel', 'quorum', 'postgres', 'etcd'].flatMap((kind) => [kind].concat(membersOf(kind))),
  'prometheus',
  'grafana',
];

/** One row for each part that lives on; the migration, which ran and ended well, is none. */
export function partsTable(containers: readonly Container[]): string[][] {
  const rows = containers
    .filter(({ service, state }) => service !== 'migrate' || state !== 'exited (0)')
    .sort(byPlace)
    .map((container) => [container.name, container.state, addressOf(container)]);
  return rows.length === 0 ? [] : [['NAME', 'STATE', 'ADDRESS'], ...rows];
}

export function byPlace(a: Container, b: Container): number {
  return rank(a) - rank(b) || a.name.localeCompare(b.name, 'en', { numeric: true });
}

function rank({ service }: Container): number {
  const index = order.indexOf(service);
  return index === -1 ? order.length : index;
}

function addressOf({ isRunning, ports, address }: Container): string {
  if (!isRunning) return '-';
  const published = ports.find(({ publishedAs }) => publishedAs !== null);
  if (published) return published.publishedAs ?? '-';
  const [port] = ports;
  return `${address ?? '-'}${port ? `:${port.inside}` : ''} (inside)`;
}
