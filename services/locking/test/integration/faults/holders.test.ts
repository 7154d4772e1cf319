import { once } from 'node:events';

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

import { deathMs, openFaultLab, slackMs, ttlMs, type FaultLab } from './fault-lab.ts';

// What may happen to a process that holds the lock, and to those who wait for it.
let lab: FaultLab;
beforeAll(async () => {
  lab = await openFaultLab();
});
afterEach(() => lab.clear());
afterAll(() => lab[Symbol.asyncDispose]());

test('a holder that is killed delays the others by no more than its TTL and what it takes to notice', async () => {
  const holder = await lab.start();
  await holder.ask({ do: 'acquire' });
  expect(await holder.ask({ do: 'enter' })).toBe(true);
  await lab.startCycling(2);
  const next = lab.room.more(5);
  holder.kill('SIGKILL');
  await next;
  await lab.settle({ waitBoundMs: deathMs });
});

test('a holder that was stopped past its TTL knows that it lost the lock, and cannot do anything with it', async () => {
  const holder = await lab.start();
  await holder.ask({ do: 'acquire' });
  expect(await holder.ask({ do: 'enter' })).toBe(true);
  await lab.startCycling(2);
  const others = lab.room.more(5);
  holder.kill('SIGSTOP');
  await others;
  holder.resume();
  await expect(holder.ask({ do: 'assert' })).rejects.toThrow('LockLostError');
  await expect.poll(() => holder.aborted).toMatch(/deadline|taken|gone/);
  await expect(holder.ask({ do: 'release' })).rejects.toThrow('LockLostError');
  // It has not looked, and does what it was about to do when it was stopped; or begins anew.
  expect(await holder.ask({ do: 'leave' })).toBe(false);
  expect(await holder.ask({ do: 'enter' })).toBe(false);
  await lab.settle({ waitBoundMs: deathMs, losses: 1 });
});

test('a holder whose event loop is blocked past its TTL knows on the next line', async () => {
  const holder = await lab.start();
  await holder.ask({ do: 'acquire' });
  expect(await holder.ask({ do: 'enter' })).toBe(true);
  await lab.startCycling(2);
  const others = lab.room.more(5);
  await expect(holder.ask({ do: 'block', ms: 3 * ttlMs })).rejects.toThrow('LockLostError deadline');
  await others;
  expect(holder.aborted).toBe('deadline');
  expect(await holder.ask({ do: 'leave' })).toBe(false);
  expect(await holder.ask({ do: 'enter' })).toBe(false);
  await lab.settle({ waitBoundMs: deathMs, losses: 1 });
});

test('waiters that are killed in the queue are passed over', async () => {
  const holder = await lab.start();
  await holder.ask({ do: 'acquire' });
  const doomed = await lab.startCycling(6);
  await expect.poll(() => lab.redis.zcard(`${lab.key}:queue`)).toBe(6);
  await lab.startCycling(2);
  await expect.poll(() => lab.redis.zcard(`${lab.key}:queue`)).toBe(8);
  for (const worker of doomed) worker.kill('SIGKILL');
  await Promise.all(doomed.map(({ child }) => once(child, 'exit')));
  const next = lab.room.more(1);
  const sinceMs = performance.now();
  await holder.ask({ do: 'release' });
  await next;
  // All at once: their TTLs, one after the other, would take longer than even a busy machine.
  expect(performance.now() - sinceMs).toBeLessThan(Math.min(slackMs, doomed.length * ttlMs));
  await lab.room.more(5);
  await lab.settle({ waitBoundMs: deathMs });
});

test('waiters that are stopped in the queue are passed over, and have the lock after they go on', async () => {
  const holder = await lab.start();
  await holder.ask({ do: 'acquire' });
  const [stopped] = await lab.startCycling(1);
  await expect.poll(() => lab.redis.zcard(`${lab.key}:queue`)).toBe(1);
  await lab.startCycling(1);
  stopped!.kill('SIGSTOP');
  const others = lab.room.more(5);
  await holder.ask({ do: 'release' });
  await others;
  stopped!.resume();
  await lab.room.more(10);
  // Its own wait lasts for as long as it was stopped, too.
  await lab.settle({ waitBoundMs: 2 * deathMs });
});
