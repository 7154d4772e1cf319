import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';

import { systemAlarms } from '#src/alarms.ts';
import { createScript, writeKeys } from '#src/queue/operation.ts';
import { createRedisCalls, type RedisCalls } from '#src/queue/redis-calls.ts';
import { duplicateFor } from '#src/queue/redis-connections.ts';

import { openQueueLab, type QueueLab } from './queue-lab.ts';

// The calls of one connection, many more than Redis can answer within the time-out of one.
const many = 10_000;
/** How many may be under way at once take about a quarter of the time-out, and all of them two and a half time-outs. */
const underWay = 1_000;
const timeoutsForThem = 4;
/** A tenth of a millisecond of work: on any machine Redis is what takes the time. */
const keys = writeKeys(['backlog']);
const script = createScript('count', 'local n = 0 for i = 1, 10000 do n = n + i % 7 end return 1');

let lab: QueueLab;
let connection: Redis;
let calls: RedisCalls;
let timeoutMs: number;
beforeAll(async () => {
  lab = await openQueueLab();
});
afterEach(() => {
  calls.close();
  connection.disconnect();
});
afterAll(() => lab[Symbol.asyncDispose]());

beforeEach(async () => {
  connection = duplicateFor(lab.redis, 'backlog', systemAlarms, 60_000) as Redis;
  await connection.connect();
  calls = createRedisCalls(connection, systemAlarms, 60_000);
  await run(1);
  const sinceMs = performance.now();
  await run(underWay);
  timeoutMs = timeoutsForThem * (performance.now() - sinceMs);
  calls = createRedisCalls(connection, systemAlarms, timeoutMs);
});

function run(times: number): Promise<PromiseSettledResult<number>[]> {
  return Promise.allSettled(Array.from({ length: times }, () => calls.run(script, keys, [], Number)));
}

test('calls that wait for their turn while others are answered do not take Redis for silent', async () => {
  // Until they take longer than their time-out: what the machine did before need not be what it does now.
  for (let times = many, tookMs = 0; tookMs <= 1.5 * timeoutMs; times *= 2) {
    const sinceMs = performance.now();
    const outcomes = await run(times);
    tookMs = performance.now() - sinceMs;
    expect(outcomes.filter(({ status }) => status === 'rejected')).toEqual([]);
  }
}, 60_000);

test('calls that wait for their turn are given up when Redis falls silent, and never sent', async () => {
  const before = await timesRun();
  await lab.server.pause();
  const sinceMs = performance.now();
  const outcomes = await run(many);
  const tookMs = performance.now() - sinceMs;
  await lab.server.resume();
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toEqual([]);
  expect(tookMs).toBeGreaterThan(0.9 * timeoutMs);
  // Not one time-out after the other for each thousand of them; the rest is for a busy machine.
  expect(tookMs).toBeLessThan(5 * timeoutMs + 5_000);
  await run(1);
  // Only those that were under way.
  expect((await timesRun()) - before).toBeLessThan(many / 2);
}, 60_000);

async function timesRun(): Promise<number> {
  const [, times] = /cmdstat_evalsha:calls=(\d+)/.exec(await lab.redis.info('commandstats')) ?? [];
  return Number(times);
}
