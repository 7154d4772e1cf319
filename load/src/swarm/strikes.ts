import { setTimeout as sleep } from 'node:timers/promises';

import type { RedundantKind } from '@lastseat/infra/cluster';
import { UserError } from '@lastseat/infra/stack';

import { startClock, type Scenario, type Scene } from './scenario.ts';
import type { Swarm, SwarmNode } from './swarm.ts';
import type { TestStack } from './test-stack.ts';
import { askFromWithin } from './within.ts';

/** What befalls a node, or a data server. */

const REPLICAS = 6;
/** Longer than Swarm waits for a node (15 s), and than its tasks take to start elsewhere. */
const CABLE_OUT_MS = 45_000;
const CABLE_OUT = `is out for ${CABLE_OUT_MS / 1_000} s, and put back`;

export const nodeKilled: Scenario = {
  ...killing(async ({ swarm, stack, run }) => {
    const leader = await swarm.leader();
    return choose(swarm, run, (node) => stack.mayBeStruck(node) && node.name !== leader?.name);
  }),
  name: 'node-killed',
  what: 'a node loses its power, neither that of a single data server nor the leader, and boots again',
};

export const leaderKilled: Scenario = {
  ...killing(leaderToStrike),
  name: 'leader-killed',
  what: 'the node that leads the swarm loses its power, and boots again',
};

export const cableOut: Scenario = {
  ...cutting(({ swarm, stack, run }) =>
    Promise.resolve(choose(swarm, run, (node) => stack.mayBeStruck(node))),
  ),
  name: 'cable-out',
  what: `the cable of a node, not that of a single data server, ${CABLE_OUT}`,
};

export const redisKilled: Scenario = {
  ...killing(primaryOf('redis')),
  prepare: postgresElsewhere,
  name: 'redis-killed',
  what: 'the node with the primary of Redis loses its power, and boots again',
  ofThree: true,
};

export const postgresKilled: Scenario = {
  ...killing(primaryOf('postgres')),
  name: 'postgres-killed',
  what: 'the node with the primary of Postgres loses its power, and boots again',
  ofThree: true,
};

export const redisCableOut: Scenario = {
  ...cutting(primaryOf('redis')),
  prepare: postgresElsewhere,
  name: 'redis-cable-out',
  what: `the cable of the node with the primary of Redis ${CABLE_OUT}`,
  ofThree: true,
};

export const postgresCableOut: Scenario = {
  ...cutting(primaryOf('postgres')),
  name: 'postgres-cable-out',
  what: `the cable of the node with the primary of Postgres ${CABLE_OUT}`,
  ofThree: true,
};

export const postgresHandsOver: Scenario = {
  name: 'postgres-hands-over',
  what: 'the primary of Postgres gives its place to another member, in order',
  ofThree: true,
  needs: [],
  // Commits that are under way end with the connection.
  failsNothing: false,
  replicas: REPLICAS,
  async strike({ stack }) {
    const clock = startClock();
    await stack.handOver();
    return { wholeAfterMs: clock() };
  },
  heal: async () => {},
};

type Strike = Pick<Scenario, 'needs' | 'failsNothing' | 'replicas' | 'strike' | 'heal'>;
type Choice = (scene: Scene) => Promise<SwarmNode>;

function killing(chooseNode: Choice): Strike {
  return {
    needs: ['kill', 'boot'],
    failsNothing: false,
    replicas: REPLICAS,
    async strike(scene) {
      const { swarm, stack, note, signal } = scene;
      const node = await chooseNode(scene);
      const clock = startClock();
      await swarm.strike('kill', node);
      note(`${node.name} has no power`);
      await stack.untilWhole(REPLICAS, signal);
      return { node: node.name, wholeAfterMs: clock() };
    },
    async heal({ swarm, stack, note, signal }) {
      await mendAll(swarm, note);
      await stack.untilWhole(REPLICAS, signal);
    },
  };
}

function cutting(chooseNode: Choice): Strike {
  return {
    needs: ['unplug', 'plug'],
    failsNothing: false,
    replicas: REPLICAS,
    async strike(scene) {
      const { swarm, stack, within, note, signal } = scene;
      const node = await chooseNode(scene);
      const replica = await stack.replicaOn(node);
      if (replica === null) throw new UserError(`${node.name} has no replica that could be cut off`);
      const clock = startClock();
      await swarm.strike('unplug', node);
      note(`the cable of ${node.name} is out`);
      const asking = askFromWithin(node, replica, within, CABLE_OUT_MS);
      const whole = stack.untilWhole(REPLICAS, signal).then(clock);
      whole.catch(() => {}); // awaited below
      await sleep(CABLE_OUT_MS, undefined, { signal }).catch(() => {});
      return { node: node.name, within: await asking, wholeAfterMs: await whole };
    },
    async heal({ swarm, stack, note, signal }) {
      await mendAll(swarm, note);
      await stack.untilWhole(REPLICAS, signal);
    },
  };
}

async function mendAll(swarm: Swarm, note: (line: string) => void): Promise<void> {
  const standing = swarm.standing();
  for (const node of swarm.nodes) {
    if (standing.includes(node)) continue;
    const command = await swarm.mend(node);
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

function primaryOf(kind: RedundantKind): Choice {
  return ({ stack }) => stack.nodeOfPrimary(kind);
}

/** Postgres takes longer to fail over, which would be all that is seen. */
async function postgresElsewhere(stack: TestStack): Promise<void> {
  const [redis, postgres] = [await stack.nodeOfPrimary('redis'), await stack.nodeOfPrimary('postgres')];
  if (redis.name === postgres.name) await stack.handOver();
}

/** Where the leader has the only data, another one is to lead: who is no manager for a moment leads no more. */
async function leaderToStrike({ swarm, stack, signal }: Scene): Promise<SwarmNode> {
  const deadlineMs = performance.now() + LEADER_WITHIN_MS;
  const other = swarm.nodes.find((node) => stack.mayBeStruck(node));
  for (;;) {
    signal.throwIfAborted();
    const leader = await swarm.leader();
    if (leader && stack.mayBeStruck(leader)) return leader;
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
