import { beforeEach, expect, test, vi } from 'vitest';

import type { Lease } from '#src/index.ts';
import { createQueueLocks } from '#src/queue/locks.ts';

import { commandTimeoutMs, connectClient, createModelTime, type ModelClient } from './model-network.ts';
import { createModelServer } from './model-queue-server.ts';

// Promises about what happens at once: here no time passes unless a test lets it, so a poll or an expiry that would
// make up for a mistake later never comes.
vi.setConfig({ testTimeout: 1_000 }); // what waits for time to pass waits for ever
const pollMs = 1_000;
const turnGrants = 3;

let time: ReturnType<typeof createModelTime>;
let clients: Map<string, ModelClient>;
let server: ReturnType<typeof createModelServer>;
/** What is on its way waits for this, by the first word of its label. */
let gates: Map<string, Promise<void>>;

beforeEach(() => {
  time = createModelTime();
  clients = new Map();
  gates = new Map();
  server = createModelServer(
    { claimMs: 2 * pollMs, staleMs: 3.5 * pollMs, queueMemoryMs: 14 * pollMs, tokenMemoryMs: 3_600_000 },
    () => 1_000_000 + time.now() * 1_000,
    (to, what, number, name, grant) => clients.get(to)?.deliver(what, number, name, grant) ?? 0,
  );
});

function open(id: string) {
  const client = connectClient(
    id,
    { schedule: (task, label = '') => (gates.get(label.split(' ')[0] ?? '') ?? task).then(() => task) },
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

  const arrive = holdBack('subscription');
  b.client.deafen();
  await held.release();
  await rest();
  expect(granted).toEqual([]);
  arrive();
  await rest();
  expect(granted).toHaveLength(1);
});

test('the next one begins with the message, and has its whole TTL when it has given a sign of life', async () => {
  const [a, b] = [open('a'), open('b')];
  const held = await a.locks.acquire('seat');
  const granted = watch(b.locks.acquire('seat'));
  await rest();
  const released = held.release();
  await rest();
  await released;
  await rest(); // the sign of life goes out after all that could run
  expect(granted).toHaveLength(1);
  expect(granted[0]!.token).toBeGreaterThan(held.token);
  expect(server.inspect('seat').holderTtlMs).toBeGreaterThan(2 * pollMs);
  expect(granted[0]!.remainingMs()).toBeGreaterThan(2 * pollMs);
});

test('the next one waits for nothing but the message', async () => {
  const [a, b] = [open('a'), open('b')];
  const held = await a.locks.acquire('seat');
  const granted = watch(b.locks.acquire('seat'));
  await rest();
  void held.release();
  // The release is on its way already; whatever B may ask stays behind.
  const arrive = holdBack('request');
  await rest();
  expect(granted).toHaveLength(1);
  expect(granted[0]!.remainingMs()).toBeLessThan(2 * pollMs);
  arrive();
});

test('a lock whose message was long on its way is kept for so much less', async () => {
  const [a, b] = [open('a'), open('b')];
  const held = await a.locks.acquire('seat');
  const granted = watch(b.locks.acquire('seat'));
  await rest();
  const arrive = holdBack('granted');
  await held.release();
  await rest();
  holdBack('request');
  time.skipTo(time.now() + 1_200);
  arrive();
  await rest();
  expect(granted).toHaveLength(1);
  expect(granted[0]!.remainingMs()).toBeLessThan(2 * pollMs - 1_200);
});

test('a message from a turn that was missed is not believed', async () => {
  const [a, b, c] = [open('a'), open('b'), open('c')];
  const held = await a.locks.acquire('seat');
  const granted = watch(b.locks.acquire('seat'));
  await rest();
  const arrive = holdBack('granted');
  await held.release();
  await rest();
  // B gives no sign of life, C has the lock after that; B looks and learns it, and only then the message comes.
  time.skipTo(time.now() + 2 * pollMs + 1);
  const other = await c.locks.acquire('seat');
  time.ring();
  await rest();
  expect(granted).toEqual([]);
  arrive();
  await rest();
  await rest();
  expect(granted).toEqual([]);
  await other.release();
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
  const [a, b, c] = [open('a'), open('b'), open('c')];
  const order: string[] = [];
  const serve = async (who: string, wait: Promise<Lease>) => {
    const lease = await wait;
    order.push(who);
    await lease.release();
  };
  const held = await c.locks.acquire('seat');
  const all = Array.from({ length: 10 }, () => serve('a', a.locks.acquire('seat')));
  await rest();
  all.push(serve('b', b.locks.acquire('seat')));
  await rest();
  await held.release();
  await Promise.all(all);
  expect(order.indexOf('b')).toBe(turnGrants);
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

test('a lease that was long on its way has so much less left', async () => {
  const { locks } = open('a');
  const arrive = holdBack('reply');
  const wait = locks.acquire('seat', { ttlMs: 60 });
  await rest();
  time.skipTo(time.now() + 25);
  arrive();
  expect((await wait).remainingMs()).toBeLessThan(36);
});

test('a lease that came after its end is nobody’s: it is asked for anew', async () => {
  const { locks } = open('a');
  const arrive = holdBack('reply');
  const wait = locks.acquire('seat', { ttlMs: 60 });
  await rest();
  time.skipTo(time.now() + 70);
  arrive();
  expect((await wait).remainingMs()).toBeGreaterThan(50);
});

test('who follows a caller that has left has the lock for no longer than was asked for', async () => {
  const { locks } = open('a');
  const arrive = holdBack('reply');
  const controller = new AbortController();
  const left = locks.acquire('seat', { ttlMs: 60, signal: controller.signal });
  await rest();
  controller.abort();
  const wait = locks.acquire('seat', { ttlMs: 10_000, renew: false });
  arrive();
  await expect(left).rejects.toBe(controller.signal.reason);
  expect((await wait).remainingMs()).toBeLessThan(60);
});

test('callers who wait behind a lease that was lost get a new grant, not the rest of it', async () => {
  const { locks } = open('a');
  const held = await locks.acquire('seat', { ttlMs: 60 });
  const next = locks.acquire('seat', { ttlMs: 60 });
  time.skipTo(time.now() + 70); // a blocked event loop: no timer has run
  await expect(held.release()).rejects.toMatchObject({ name: 'LockLostError', why: 'deadline' });
  expect((await next).remainingMs()).toBeGreaterThan(50);
});

test('who asks after others were told of an outage is not told of it before its own time', async () => {
  const { locks } = open('a');
  holdBack('request');
  const first = locks.acquire('seat');
  await rest();
  time.skipTo(time.now() + 6_000);
  time.ring();
  await expect(first).rejects.toMatchObject({ name: 'LockUnavailableError' });

  const second = locks.acquire('seat');
  const refused = vi.fn();
  second.catch(refused);
  time.skipTo(time.now() + commandTimeoutMs);
  time.ring();
  await rest();
  expect(refused).not.toHaveBeenCalled();
});

/** @returns call it and they arrive */
function holdBack(what: string): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  gates.set(what, promise);
  return () => {
    gates.delete(what);
    resolve();
  };
}

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
