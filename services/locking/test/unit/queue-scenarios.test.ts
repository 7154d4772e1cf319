import { beforeEach, expect, test, vi } from 'vitest';

import type { Lease } from '#src/index.ts';
import type { Keys } from '#src/memory/keys.ts';
import { createQueueSteps } from '#src/memory/queue-steps.ts';
import { createQueueLocks } from '#src/queue/locks.ts';

import { commandTimeoutMs, connectClient, createModelTime, type ModelClient } from './model-network.ts';

// Promises about what happens at once: here no time passes unless a test lets it, so a poll or an expiry that would
// make up for a mistake later never comes.
vi.setConfig({ testTimeout: 1_000 }); // what waits for time to pass waits for ever
const pollMs = 1_000;
const tenureGrants = 3;

let time: ReturnType<typeof createModelTime>;
let clients: Map<string, ModelClient>;
let server: ReturnType<typeof createQueueSteps>;
/** What is on its way waits for this, by the first word of its label. */
let gates: Map<string, Promise<void>>;

beforeEach(() => {
  time = createModelTime();
  clients = new Map();
  gates = new Map();
  server = serve(new Map());
});

function serve(names: Map<string, Keys>) {
  return createQueueSteps(
    { staleMs: 3.5 * pollMs, queueMemoryMs: 14 * pollMs, tokenMemoryMs: 3_600_000 },
    () => 1_000_000 + time.now() * 1_000,
    {
      isHeard: (to) => clients.get(to)?.isHeard ?? false,
      tell: (to, what, number, name, grant) => clients.get(to)?.deliver(what, number, name, grant),
    },
    undefined,
    names,
  );
}

function open(id: string, { lingerMs = 0 } = {}) {
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
      defaults: { waitMs: 60_000, ttlMs: 60_000, renew: true, maxHoldMs: Infinity },
      settings: { coalesce: true, lingerMs, tenureGrants, tenureMs: 50, unavailableAfterMs: 5_000 },
      maxWaiting: 100,
      pollMs,
      emit: undefined,
      onReleaseFailed: () => undefined,
    },
    client.timers,
  );
  return { client, locks };
}

test('whoever was cut off while it was made the holder has the lock as soon as messages reach it again', async () => {
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

test('the next one waits for nothing but the message, and has its TTL', async () => {
  const [a, b] = [open('a'), open('b')];
  const held = await a.locks.acquire('seat');
  const granted = watch(b.locks.acquire('seat', { ttlMs: 10_000, renew: false }));
  await rest();
  void held.release();
  // The release is on its way already; whatever B may ask stays behind.
  const arrive = holdBack('request');
  await rest();
  expect(granted).toHaveLength(1);
  expect(granted[0]!.token).toBeGreaterThan(held.token);
  expect(granted[0]!.remainingMs()).toBeGreaterThan(9_000);
  expect(server.inspect('seat').holderTtlMs).toBe(10_000);
  arrive();
});

test('a lock whose message was long on its way is kept for so much less', async () => {
  const [a, b] = [open('a'), open('b')];
  const held = await a.locks.acquire('seat');
  const granted = watch(b.locks.acquire('seat', { ttlMs: 60_000 }));
  await rest();
  const arrive = holdBack('granted');
  await held.release();
  await rest();
  holdBack('request');
  time.skipTo(time.now() + 1_200);
  arrive();
  await rest();
  expect(granted).toHaveLength(1);
  expect(granted[0]!.remainingMs()).toBeLessThan(60_000 - 1_200);
});

test.each([true, false])(
  'the next one asks first if it would begin with less than nine tenths of its TTL (renew: %s)',
  async (renew) => {
    const [a, b] = [open('a'), open('b')];
    const held = await a.locks.acquire('seat');
    const granted = watch(b.locks.acquire('seat', { ttlMs: 10_000, renew }));
    await rest();
    // Since it asked, which is all that it knows of the time at which it was made the holder.
    time.skipTo(time.now() + 1_000);
    void held.release();
    const arrive = holdBack('request');
    await rest();
    expect(granted).toEqual([]);
    arrive();
    await rest();
    expect(granted).toHaveLength(1);
    expect(granted[0]!.remainingMs()).toBeGreaterThan(9_000);
  },
);

test('a caller who follows another one in its process has nine tenths of its TTL', async () => {
  const { locks } = open('a');
  const held = await locks.acquire('seat', { ttlMs: 200 });
  const next = locks.acquire('seat', { ttlMs: 200 });
  time.skipTo(time.now() + 30); // a part of a tenure
  await held.release();
  expect((await next).remainingMs()).toBeGreaterThan(180);
});

test.each([
  ['follow one another', 0],
  ['come to a lock that is kept', 60_000],
])(
  'Redis keeps the lock of callers who %s for no longer than the present one asked for',
  async (_how, lingerMs) => {
    const { locks } = open('a', { lingerMs });
    const first = await locks.acquire('seat', { ttlMs: 600_000 });
    const waits = lingerMs > 0 ? [] : [locks.acquire('seat', { ttlMs: 1_000 })];
    await first.release();
    const next = await (waits[0] ?? locks.acquire('seat', { ttlMs: 1_000 }));
    expect(next.token).toBeGreaterThan(first.token);
    expect(server.inspect('seat').holderTtlMs).toBeLessThanOrEqual(1_000);
    expect(next.remainingMs()).toBeGreaterThan(900);
  },
);

test('a message about a grant that was missed is not believed', async () => {
  const [a, b, c] = [open('a'), open('b'), open('c')];
  const held = await a.locks.acquire('seat');
  const granted = watch(b.locks.acquire('seat', { ttlMs: 2 * pollMs }));
  await rest();
  const arrive = holdBack('granted');
  await held.release();
  await rest();
  // B gives no sign of life, C has the lock after that; B looks and learns it, and only then the message comes.
  time.skipTo(time.now() + 2 * pollMs + 1);
  const other = await c.locks.acquire('seat');
  time.fire();
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

test('while others wait, the callers of one process have no longer a tenure than they may', async () => {
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
  expect(order.indexOf('b')).toBe(tenureGrants);
  expect(order).toHaveLength(11);
});

test('a waiter that was not told of its grant has it at the next poll', async () => {
  const [a, b] = [open('a'), open('b')];
  const held = await a.locks.acquire('seat');
  const granted = watch(b.locks.acquire('seat'));
  await rest();
  b.client.loseMessages();
  await held.release();
  await rest();
  expect(granted).toEqual([]);
  time.skipTo(time.now() + pollMs);
  time.fire();
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

test.each([
  [60, 10_000],
  [10_000, 60],
])(
  'who follows a caller that has left begins when Redis keeps the lock for as long as it asks: %i ms, then %i ms',
  async (leftTtlMs, ttlMs) => {
    const { locks } = open('a');
    const arrive = holdBack('reply');
    const controller = new AbortController();
    const left = locks.acquire('seat', { ttlMs: leftTtlMs, signal: controller.signal });
    await rest();
    controller.abort();
    const granted = watch(locks.acquire('seat', { ttlMs, renew: false }));
    const confirm = holdBack('request');
    arrive();
    await expect(left).rejects.toBe(controller.signal.reason);
    await rest();
    expect(granted).toEqual([]);
    confirm();
    await rest();
    expect(granted).toHaveLength(1);
    expect(server.inspect('seat').holderTtlMs).toBe(ttlMs);
    expect(granted[0]!.remainingMs()).toBeGreaterThan(ttlMs * 0.9);
  },
);

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
  time.fire();
  await expect(first).rejects.toMatchObject({ name: 'LockUnavailableError' });

  const second = locks.acquire('seat');
  const refused = vi.fn();
  second.catch(refused);
  time.skipTo(time.now() + commandTimeoutMs);
  time.fire();
  await rest();
  expect(refused).not.toHaveBeenCalled();
});

test('a lock that is kept without a lease is not given up when the last lease would have been held too long', async () => {
  const [a, b] = [open('a', { lingerMs: 10_000 }), open('b')];
  const limited = await a.locks.acquire('seat', { maxHoldMs: 100 });
  await limited.release();
  await passMs(200);
  expect(await b.locks.tryAcquire('seat')).toBeNull();
});

test('the limit of a lease is not that of the next one under the same grant', async () => {
  const { locks } = open('a', { lingerMs: 10_000 });
  await (await locks.acquire('seat', { maxHoldMs: 100 })).release();
  const next = await locks.acquire('seat');
  await passMs(200);
  expect(() => next.assertHeld()).not.toThrow();
  await next.release();
  const limited = await locks.acquire('seat', { maxHoldMs: 100 });
  await passMs(100);
  expect(() => limited.assertHeld()).toThrow('longer than maxHoldMs');
});

async function passMs(ms: number): Promise<void> {
  time.skipTo(time.now() + ms);
  time.fire();
  await rest();
}

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

test('a token is not given a second time where a failover has taken Redis back to an earlier grant of the same tenure', async () => {
  const names = new Map<string, Keys>();
  server = serve(names);
  const { locks } = open('a');
  const callers = Array.from({ length: 12 }, () => locks.acquire('x'));
  const tokens: number[] = [];
  let replicated = new Map<string, Keys>();
  for (const [i, caller] of callers.entries()) {
    const lease = await caller;
    tokens.push(lease.token);
    if (i === 4) replicated = structuredClone(names);
    if (i === 8) server = serve(replicated);
    await lease.release();
  }
  expect(new Set(tokens).size).toBe(callers.length);
  expect(tokens).toEqual(tokens.toSorted((a, b) => a - b));
});
