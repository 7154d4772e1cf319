import { UserError } from '@lastseat/infra/stack';
import { DATA_LABEL, dataLabels } from '@lastseat/infra/swarm';

import type { Swarm, SwarmNode } from './swarm.ts';

/** Where the data are: on one node, or a member of three on each of three. */
export interface DataNodes {
  ha: boolean;
  /** In the order of their labels. */
  nodes: readonly SwarmNode[];
  /** Whether they have carried the labels before; otherwise they carry them as long as the stack is there. */
  areLabelled: boolean;
}

export async function chooseDataNodes(swarm: Swarm, ha: boolean): Promise<DataNodes> {
  const labels = dataLabels(ha);
  const carried = await Promise.all(swarm.nodes.map((node) => labelOf(swarm, node)));
  const carriers = labels.map((label) => swarm.nodes[carried.indexOf(label)]);
  const present = carriers.filter((node) => node !== undefined);
  if (present.length === labels.length) return { ha, nodes: present, areLabelled: true };
  const free = swarm.nodes.filter((_, index) => carried[index] === '');
  if (present.length > 0 || free.length < labels.length)
    throw new UserError(
      `the label ${DATA_LABEL} is on ${swarm.nodes.length - free.length} nodes: take it off, or have ${labels.join(', ')} on one each`,
    );
  // One of those that do not lead, if there are: the leader is killed too.
  const leader = await swarm.leader();
  const nodes = free.toSorted((a, b) => Number(a.name === leader?.name) - Number(b.name === leader?.name));
  return { ha, nodes: nodes.slice(0, labels.length), areLabelled: false };
}

async function labelOf(swarm: Swarm, { name }: SwarmNode): Promise<string> {
  const format = `{{index .Spec.Labels "${DATA_LABEL}"}}`;
  return (await swarm.manager().ask(['node', 'inspect', name, '--format', format])) ?? '';
}

const LABEL_TIMEOUT_MS = 15_000;

export async function labelDataNodes(swarm: Swarm, data: DataNodes): Promise<void> {
  const labels = dataLabels(data.ha);
  await changeLabels(swarm, data, (index) => `--label-add=${DATA_LABEL}=${labels[index]}`);
}

export async function unlabelDataNodes(swarm: Swarm, data: DataNodes): Promise<void> {
  await changeLabels(swarm, data, () => `--label-rm=${DATA_LABEL}`);
}

async function changeLabels(
  swarm: Swarm,
  { nodes, areLabelled }: DataNodes,
  change: (index: number) => string,
): Promise<void> {
  if (areLabelled) return;
  for (const [index, { name }] of nodes.entries()) {
    await swarm.manager().tell(['node', 'update', change(index), name], { timeoutMs: LABEL_TIMEOUT_MS });
  }
}
