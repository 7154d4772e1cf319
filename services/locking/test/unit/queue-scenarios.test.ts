import { beforeEach, expect, test } from 'vitest';

import type { Lease } from '#src/index.ts';
import { createQueueLocks } from '#src/queue/locks.ts';

import { connectClient, createModelTime, type ModelClient } from './model-network.ts';
import { createModelServer } from './model-queue-server.ts';

// Promises about what happens at once: here no time passes unless a test lets it, so a poll or an expiry that would
// make up for a mistake later never comes.
const pollMs = 1_000;
const turnGrants = 3;

let time: ReturnType<typeof createModelTime>;
let clients: Map<string, ModelClient>;
let server: ReturnType<typeof createModelServer>;
/** Subscriptions wait for this. */
let subscriptions: Promise<void>;

beforeEach(() => {
  time = createModelTime();
  clients = new Map();
  subscriptions = Promise.resolve();
  server = createModelServer(
    { claimMs: 2 * pollMs, staleMs: 3.5 * pollMs, queueMemoryMs: 14 * pollMs, tokenMemoryMs: 3_600_000 },
    () => 1_000_000 + time.now() * 1_000,
    (to, what, number, name) => clients.get(to)?.deliver(what, number, name) ?? 0,
  );
});

function open(id: string) {
  const client = connectClient(
    id,
    {
      schedule: (task, label = '') =>
        label.startsWith('subscription') ? subscriptions.then(() => task) : task,
    },
    time,
    () => server,
    Math.random,
  );
  client.becomeReliable();
  clients.set(id, client);
  const locks = createQueueLocks(
    client.open,
    {
      defaults: { waitMs: 60_000, ttlMs: 60_000, renew: true },
      line: { coalesce: true, lingerMs: 0, turnGrants, turnMs: 50, unavailableAfterMs: 5_000 },
      maxWaiting: 100,
      pollMs,
      emit: undefined,
      onReleaseFailed: () => undefined,
    },
    client.alarms,
  );
  return { client, locks };
}

test('whoever was cut off while its turn came has the lock as soon as messages reach it again', async () => {
  const [a, b] = [open('a'), open('b')];
  const held = await a.locks.acquire('seat');
  const granted = watch(b.locks.acquire('seat'));
  await rest();

  const { promise, resolve } = Promise.withResolvers<void>();
  subscriptions = promise;
  b.client.deafen();
  await held.release();
  await rest();
  expect(granted).toEqual([]);
  resolve();
  await rest();
  expect(granted).toHaveLength(1);
});

test('a grant that comes after its caller has cancelled is free for others at once', async () => {
  const [a, b] = [open('a'), open('b')];
  const controller = new AbortController();
  const wait = a.locks.acquire('seat', { signal: controller.signal });
  controller.abort();
  await expect(wait).rejects.toBe(controller.signal.reason);
  await rest();
  expect(await b.locks.tryAcquire('seat')).not.toBeNull();
});

test('while others wait, the callers of one process have no longer a turn than they may', async () => {
  const [a, b] = [open('a'), open('b')];
  const order: string[] = [];
  const serve = async (who: string, wait: Promise<Lease>) => {
    const lease = await wait;
    order.push(who);
    await lease.release();
  };
  const first = await a.locks.acquire('seat');
  const all = Array.from({ length: 10 }, () => serve('a', a.locks.acquire('seat')));
  all.push(serve('b', b.locks.acquire('seat')));
  await rest();
  await first.release();
  await Promise.all(all);
  expect(order.indexOf('b')).toBeLessThanOrEqual(turnGrants);
  expect(order).toHaveLength(11);
});

test('a waiter whose turn was not told has it at the next look', async () => {
  const [a, b] = [open('a'), open('b')];
  const held = await a.locks.acquire('seat');
  const granted = watch(b.locks.acquire('seat'));
  await rest();
  b.client.loseMessages();
  await held.release();
  await rest();
  expect(granted).toEqual([]);
  time.skipTo(time.now() + pollMs);
  time.ring();
  await rest();
  expect(granted).toHaveLength(1);
});

function watch(wait: Promise<Lease>): Lease[] {
  const leases: Lease[] = [];
  wait.then(
    (lease) => leases.push(lease),
    () => undefined,
  );
  return leases;
}

/** Runs promise reactions until none are left. */
function rest(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
