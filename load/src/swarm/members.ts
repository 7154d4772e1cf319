import { setTimeout as sleep } from 'node:timers/promises';

import type { RedundantKind } from '@lastseat/infra/cluster';
import { capture, UserError } from '@lastseat/infra/stack';
import {
  assertRedundant,
  findPrimary,
  handOverPostgres,
  membersInContainers,
  type Members,
} from '@lastseat/infra/swarm';

import type { DataNodes } from './data-nodes.ts';
import type { SwarmNode } from './swarm.ts';

/** The data servers of the stack: one of each, or three. */
export interface Servers {
  /** That node keeps no data that no other one has. */
  mayBeStruck(node: SwarmNode): boolean;
  /** Where the primary is. Throws a `UserError` while there is none. */
  nodeOfPrimary(kind: RedundantKind): Promise<SwarmNode>;
  /** Another member of Postgres becomes the primary, in order. */
  handOver(): Promise<void>;
  /** Returns when any one of three may be lost; at once where there is one of each. */
  untilRedundant(signal: AbortSignal): Promise<void>;
}

// What a node has missed is copied to it, on a machine that has three engines.
const REDUNDANT_WITHIN_MS = 240_000;
const POLL_MS = 1_000;

export function serversOf(stack: string, { ha, nodes }: DataNodes): Servers {
  const members = membersInContainers(async (part, command, limitMs) => {
    const { name, host, docker } = nodeOf(part);
    const ours = `label=com.docker.swarm.service.name=${stack}_${part}`;
    const container = (await docker.ask(['ps', '--quiet', '--filter', ours]))?.split('\n').find(Boolean);
    if (container === undefined) throw new Error(`${part} does not run on ${name}`);
    const args = ['--host', host, 'exec', container, ...command];
    const { code, stdout, stderr } = await capture('docker', args, limitMs);
    if (code !== 0) throw new Error(`${part}: ${stderr.trim() || 'no answer'}`);
    return stdout;
  });

  function nodeOf(member: string): SwarmNode {
    const node = nodes[Number(member.split('-')[1]) - 1];
    if (node === undefined) throw new UserError(`${member} is on no node`);
    return node;
  }

  async function primaryOf(kind: RedundantKind): Promise<string> {
    const primary = await findPrimary(kind, members);
    if (primary === null) throw new UserError(`no member of ${kind} is the primary`);
    return primary;
  }

  return {
    mayBeStruck: ({ name }) => ha || !nodes.some((node) => node.name === name),
    nodeOfPrimary: async (kind) => nodeOf(await primaryOf(kind)),
    handOver: async () => handOverPostgres(await primaryOf('postgres'), members),
    async untilRedundant(signal) {
      if (ha) await untilRedundant(members, signal);
    },
  };
}

async function untilRedundant(members: Members, signal: AbortSignal): Promise<void> {
  const deadlineMs = performance.now() + REDUNDANT_WITHIN_MS;
  for (;;) {
    const missing = await assertRedundant(members).then(
      () => null,
      (error: unknown) => (error as Error).message,
    );
    if (missing === null) return;
    signal.throwIfAborted();
    if (performance.now() > deadlineMs)
      throw new UserError(`not redundant after ${REDUNDANT_WITHIN_MS / 1_000} s: ${missing}`);
    await sleep(POLL_MS, undefined, { signal }).catch(() => {});
  }
}
