import { setTimeout as sleep } from 'node:timers/promises';

import { FAILPOINT_HEADER } from '@lastseat/booking/contract';

import { followAll } from '../../faults/replicas.ts';
import { BREAKS_LEASES, LEFT_AFTER, MissedError, type Drill, type Scene } from '../drill.ts';

// Longer than the lease, which is two seconds.
const BLOCKED_MS = { least: 2_200, most: 3_000 };
// There is none of that number, and the replica stands still before it looks.
const NO_EVENT = 2_147_483_647;
const STRUCK_WITHIN_MS = 5_000;
const POLL_MS = 10;

const answers = new WeakMap<Scene, Promise<unknown>>();

/** Who stands still is whom nginx gives the request that asks for it; its log says so. */
export const blockEventLoop: Drill = {
  name: 'block-event-loop',
  what: 'a replica computes for longer than the leases of bookings that it holds between read and write, as in a long garbage collection; neither its timers nor its renewals run',
  breaks: BREAKS_LEASES,
  where: 'replicas',
  mustBreak: BREAKS_LEASES,
  holds: true,
  lastsMs: [BLOCKED_MS.least, BLOCKED_MS.most],
  floors: { during: 0, after: LEFT_AFTER },
  async strike(scene) {
    const { cluster, random, replicas } = scene;
    const url = scene.url ?? (await cluster.find())?.url;
    const struck: string[] = [];
    using _following = await followAll(cluster, replicas, (part, line) => {
      if (line.includes('a failpoint strikes')) struck.push(part);
    });
    const ms = Math.round(BLOCKED_MS.least + (BLOCKED_MS.most - BLOCKED_MS.least) * random());
    const answered = fetch(new URL(`/book/no-lock/${NO_EVENT}`, url), {
      method: 'POST',
      headers: { [FAILPOINT_HEADER]: `arrived=block:${ms}` },
    }).then(
      (response) => response.arrayBuffer(),
      () => {}, // nginx was not that patient
    );
    answers.set(scene, answered);
    const untilMs = performance.now() + STRUCK_WITHIN_MS;
    while (struck.length === 0) {
      if (performance.now() > untilMs || scene.signal.aborted) throw new MissedError('no replica was struck');
      await sleep(POLL_MS);
    }
    scene.replica = struck[0] ?? scene.replica;
  },
  // It goes on by itself.
  heal: async (scene) => void (await answers.get(scene)),
};
