import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';

import { createCalls, type Calls } from '#src/client/calls.ts';
import { openClient } from '#src/client/choose-adapter.ts';
import type { Connection } from '#src/client/port.ts';
import { createScript } from '#src/client/script.ts';
import { systemTimers } from '#src/timers.ts';

import { openQueueLab, type QueueLab } from './queue-lab.ts';

// The calls of one connection, many more than Redis can answer within the time-out of one.
const many = 10_000;
/** How many may be under way at once take about a quarter of the time-out, and all of them two and a half time-outs. */
const underWay = 1_000;
const timeoutsForThem = 4;
/** A tenth of a millisecond of work: on any machine Redis is what takes the time. */
const keys = ['backlog'];
const script = createScript('count', 'local n = 0 for i = 1, 10000 do n = n + i % 7 end return 1');

let lab: QueueLab;
let connection: Connection;
let calls: Calls;
let timeoutMs: number;
beforeAll(async () => {
  lab = await openQueueLab();
});
afterEach(() => {
  calls.close();
  connection.link.close();
});
afterAll(() => lab[Symbol.asyncDispose]());

beforeEach(async () => {
  connection = openClient(lab.redis).connect({ name: 'backlog', replyTimeoutMs: 60_000 });
  calls = createCalls(connection, systemTimers, { timeoutMs: 60_000 });
  await run(1);
  const sinceMs = performance.now();
  await run(underWay);
  timeoutMs = timeoutsForThem * (performance.now() - sinceMs);
  calls = createCalls(connection, systemTimers, { timeoutMs });
});

function run(times: number): Promise<PromiseSettledResult<unknown>[]> {
  return Promise.allSettled(Array.from({ length: times }, () => calls.run(script, keys, [])));
}

test('calls that wait here while others are answered do not take Redis for silent', async () => {
  // Until they take longer than their time-out: what the machine did before need not be what it does now.
  for (let times = many, tookMs = 0; tookMs <= 1.5 * timeoutMs; times *= 2) {
    const sinceMs = performance.now();
    const outcomes = await run(times);
    tookMs = performance.now() - sinceMs;
    expect(outcomes.filter(({ status }) => status === 'rejected')).toEqual([]);
  }
}, 60_000);

test('calls that wait here are given up when Redis falls silent, and never sent', async () => {
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
