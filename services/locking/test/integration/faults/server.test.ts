import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

import { deathMs, openFaultLab, reconnectMs, slackMs, ttlMs, type FaultLab } from './fault-lab.ts';

// What may happen to Redis, or be done to it by others, while three processes hold it one after the other all the time.
let lab: FaultLab;
beforeAll(async () => {
  lab = await openFaultLab();
});
afterEach(() => lab.clear());
afterAll(() => lab[Symbol.asyncDispose]());

interface Fault {
  name: string;
  times: number;
  /** Longest wait, beside the time that the fault itself takes. */
  boundMs: number;
  /**
   * Redis forgets who holds the lock, each time: then only the tokens keep that holder and the next one apart.
   */
  forgets?: boolean;
  strike(): Promise<unknown>;
}

const faults: Fault[] = [
  {
    name: 'Redis is restarted and keeps its data',
    times: 1,
    boundMs: deathMs + reconnectMs,
    strike: () => lab.server.restart(),
  },
  {
    name: 'Redis is restarted and has lost its data',
    times: 1,
    boundMs: deathMs + reconnectMs,
    forgets: true,
    strike: () => lab.server.restart({ keepData: false }),
  },
  { name: 'FLUSHALL', times: 5, boundMs: deathMs, forgets: true, strike: () => lab.redis.flushall() },
  { name: 'SCRIPT FLUSH', times: 5, boundMs: slackMs, strike: () => lab.redis.script('FLUSH') },
  {
    name: 'CLIENT PAUSE for longer than a TTL',
    times: 1,
    boundMs: deathMs,
    strike: () => lab.redis.call('CLIENT', 'PAUSE', 2 * ttlMs),
  },
  {
    name: 'CLIENT KILL of all subscribers',
    times: 5,
    boundMs: deathMs + reconnectMs,
    strike: () => lab.redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub'),
  },
  {
    name: 'CLIENT KILL of everybody',
    times: 3,
    boundMs: deathMs + reconnectMs,
    strike: () => lab.redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'),
  },
  {
    name: 'the key of the lock is deleted by somebody',
    times: 5,
    boundMs: deathMs,
    forgets: true,
    strike: () => lab.redis.del(lab.key),
  },
  {
    name: 'the key of the lock is made to expire by somebody',
    times: 5,
    boundMs: deathMs,
    forgets: true,
    strike: () => lab.redis.pexpire(lab.key, 1),
  },
  {
    name: 'the queue is deleted by somebody',
    times: 5,
    boundMs: deathMs,
    strike: () => lab.redis.del(`${lab.key}:queue`, `${lab.key}:waiting`),
  },
];

test.each(faults)(
  'everybody goes on in time after: $name',
  async ({ times, boundMs, forgets = false, strike }) => {
    await lab.startCycling(3);
    await lab.room.more(10);
    const sinceMs = performance.now();
    for (let time = 0; time < times; time += 1) {
      await strike();
      await sleep(20); // a few more grants, so that it strikes at another point of the next one
    }
    const faultMs = performance.now() - sinceMs;
    await lab.room.more(20);
    expect(lab.room.admitted.length).toBeGreaterThanOrEqual(30);
    await lab.settle({ waitBoundMs: boundMs + faultMs, losses: forgets ? times : 0 });
  },
);
