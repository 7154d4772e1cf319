import { setTimeout as sleep } from 'node:timers/promises';

import { UserError } from '@lastseat/infra/stack';

import type { Releases } from './images.ts';
import type { Command } from './node-commands.ts';
import type { Swarm, SwarmNode } from './swarm.ts';
import type { TestStack } from './test-stack.ts';
import { askFromWithin, type FromWithin } from './within.ts';

/** Something that is done to a swarm while it sells. */
export interface Scenario {
  name: string;
  what: string;
  /** The commands that it uses. */
  needs: readonly Command[];
  /** It is planned work: no request may fail. */
  failsNothing: boolean;
  /** Before it and after it. */
  replicas: number;
  strike(scene: Scene): Promise<Outcome>;
  /** Also where the strike failed half-way. */
  heal(scene: Scene): Promise<void>;
}

export interface Scene {
  swarm: Swarm;
  stack: TestStack;
  releases: Releases;
  /** From 0: another node each time. */
  run: number;
  /** With an event for whoever is cut off, one for each guard. */
  within: readonly { strategy: string; eventId: number }[];
  note: (line: string) => void;
  signal: AbortSignal;
}

/** What is known of a strike beside what was sold. */
export interface Outcome {
  node?: string;
  /** From the strike until all replicas were healthy on the nodes that were left, or the release was what it was to be. */
  wholeAfterMs: number;
  /** What those were told who asked a replica that was cut off, on its own node. */
  within?: FromWithin | null;
}

const FEW = 3;
const MORE = 6;
const MANY = 9;
/** Longer than Swarm waits for a node (15 s), and than its tasks take to start elsewhere. */
const CABLE_OUT_MS = 45_000;

const scale: Scenario = {
  name: 'scale',
  what: `from ${FEW} to ${MANY} replicas over all nodes, and back`,
  needs: [],
  failsNothing: true,
  replicas: FEW,
  async strike({ stack, signal, note }) {
    const clock = startClock();
    await stack.deploy({ replicas: MANY });
    await stack.untilWhole(MANY, signal);
    const wholeAfterMs = clock();
    const spread = await stack.spread();
    note(`replicas on the nodes: ${spread.join(' + ')}`);
    if (spread.includes(0)) throw new UserError(`a node has no replica: ${spread.join(' + ')}`);
    return { wholeAfterMs };
  },
  async heal({ stack, signal }) {
    await stack.deploy({ replicas: FEW });
    await stack.untilWhole(FEW, signal);
  },
};

const release: Scenario = {
  name: 'release',
  what: 'an update of all replicas, one after another',
  needs: [],
  failsNothing: true,
  replicas: MORE,
  async strike({ stack, releases, signal }) {
    const clock = startClock();
    await stack.deploy({ image: releases.next });
    await stack.untilWhole(MORE, signal);
    return { wholeAfterMs: clock() };
  },
  async heal({ stack, releases, signal }) {
    await stack.deploy({ image: releases.first });
    await stack.untilWhole(MORE, signal);
  },
};

const badRelease: Scenario = {
  name: 'bad-release',
  what: 'a release that ends as soon as it is started, and is taken back',
  needs: [],
  failsNothing: true,
  replicas: MORE,
  async strike({ stack, releases, signal, note }) {
    const clock = startClock();
    const refused = await stack.deploy({ image: releases.bad }).then(
      () => null,
      (error: unknown) => (error as Error).message,
    );
    if (!refused?.includes('did not come up'))
      throw new UserError(refused ?? 'a release that cannot start was not taken back');
    note('the bad release was taken back');
    await stack.untilWhole(MORE, signal);
    return { wholeAfterMs: clock() };
  },
  async heal({ stack, releases, signal }) {
    await stack.deploy({ image: releases.first });
    await stack.untilWhole(MORE, signal);
  },
};

const nodeKilled: Scenario = {
  ...killing(async ({ swarm, stack, run }) => {
    const leader = await swarm.leader();
    return choose(swarm, run, ({ name }) => name !== stack.data.name && name !== leader?.name);
  }),
  name: 'node-killed',
  what: 'a node loses its power, not that of the data and not the leader, and boots again',
};

const leaderKilled: Scenario = {
  ...killing(leaderWithoutData),
  name: 'leader-killed',
  what: 'the node that leads the swarm loses its power, and boots again',
};

const cableOut: Scenario = {
  name: 'cable-out',
  what: `the cable of a node is out for ${CABLE_OUT_MS / 1_000} s, not that of the data, and put back`,
  needs: ['unplug', 'plug'],
  failsNothing: false,
  replicas: MORE,
  async strike({ swarm, stack, run, within, note, signal }) {
    const node = choose(swarm, run, ({ name }) => name !== stack.data.name);
    const replica = await stack.replicaOn(node);
    if (replica === null) throw new UserError(`${node.name} has no replica that could be cut off`);
    const clock = startClock();
    await swarm.strike('unplug', node);
    note(`the cable of ${node.name} is out`);
    const asking = askFromWithin(node, replica, within, CABLE_OUT_MS);
    const whole = stack.untilWhole(MORE, signal).then(clock);
    whole.catch(() => {}); // awaited below
    await sleep(CABLE_OUT_MS, undefined, { signal }).catch(() => {});
    return { node: node.name, within: await asking, wholeAfterMs: await whole };
  },
  async heal({ swarm, stack, note, signal }) {
    await mendAll(swarm, 'plug', note);
    await stack.untilWhole(MORE, signal);
  },
};

export const SCENARIOS: readonly Scenario[] = [
  scale,
  release,
  badRelease,
  nodeKilled,
  leaderKilled,
  cableOut,
];

function killing(
  chooseNode: (scene: Scene) => Promise<SwarmNode>,
): Pick<Scenario, 'needs' | 'failsNothing' | 'replicas' | 'strike' | 'heal'> {
  return {
    needs: ['kill', 'boot'],
    failsNothing: false,
    replicas: MORE,
    async strike(scene) {
      const { swarm, stack, note, signal } = scene;
      const node = await chooseNode(scene);
      const clock = startClock();
      await swarm.strike('kill', node);
      note(`${node.name} has no power`);
      await stack.untilWhole(MORE, signal);
      return { node: node.name, wholeAfterMs: clock() };
    },
    async heal({ swarm, stack, note, signal }) {
      await mendAll(swarm, 'boot', note);
      await stack.untilWhole(MORE, signal);
    },
  };
}

async function mendAll(swarm: Swarm, command: 'boot' | 'plug', note: (line: string) => void): Promise<void> {
  const standing = swarm.standing();
  for (const node of swarm.nodes) {
    if (standing.includes(node)) continue;
    await swarm.mend(command, node);
    note(command === 'boot' ? `${node.name} boots` : `the cable of ${node.name} is back`);
  }
}

/** Another one each run. */
function choose(swarm: Swarm, run: number, may: (node: SwarmNode) => boolean): SwarmNode {
  const nodes = swarm.nodes.filter(may);
  return nodes[run % nodes.length] as SwarmNode;
}

const LEADER_WITHIN_MS = 90_000;
const POLL_MS = 500;

/** Where the leader has the data, another one is to lead: who is no manager for a moment leads no more. */
async function leaderWithoutData({ swarm, stack, signal }: Scene): Promise<SwarmNode> {
  const deadlineMs = performance.now() + LEADER_WITHIN_MS;
  const other = swarm.nodes.find(({ name }) => name !== stack.data.name);
  for (;;) {
    signal.throwIfAborted();
    const leader = await swarm.leader();
    if (leader && leader.name !== stack.data.name) return leader;
    if (performance.now() > deadlineMs) throw new UserError('no node but that of the data wants to lead');
    if (leader) {
      for (const change of ['demote', 'promote']) {
        while ((await other?.docker.ask(['node', change, leader.name])) === null) {
          if (performance.now() > deadlineMs) throw new UserError(`${leader.name}: ${change} is not done`);
          await sleep(POLL_MS);
        }
      }
    }
    await sleep(POLL_MS);
  }
}

function startClock(): () => number {
  const startMs = performance.now();
  return () => Math.round(performance.now() - startMs);
}
