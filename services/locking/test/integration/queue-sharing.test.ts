import { setImmediate as nextTick } from 'node:timers/promises';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { clientOf, LockTimeoutError, type LockEvent } from '#src/index.ts';

import { openQueueLab, type Client, type QueueLab } from './queue-lab.ts';

let lab: QueueLab;
beforeAll(async () => {
  lab = await openQueueLab();
});
beforeEach(async () => {
  await lab.redis.flushall();
});
afterEach(() => lab.closeAll());
afterAll(() => lab[Symbol.asyncDispose]());

interface Grant {
  client: Client;
  token: number;
}

/** So many callers at once; each notes its grant and gives it back after a tick. */
function takeAll(client: Client, callers: number, grants: Grant[]): Promise<unknown> {
  return Promise.all(
    Array.from({ length: callers }, () =>
      client.locks.withLock('seat', { waitMs: 20_000 }, async ({ token }) => {
        grants.push({ client, token });
        await nextTick();
      }),
    ),
  );
}

async function waitersOf(client: Client, callers: number, grants: Grant[]): Promise<() => Promise<unknown>> {
  const all = takeAll(client, callers, grants);
  await client.told('queued');
  return () => all;
}

function granted(client: Client, from: Extract<LockEvent, { type: 'granted' }>['from']): number {
  return client.events.filter((event) => event.type === 'granted' && event.from === from).length;
}

describe('the callers of one process', () => {
  test('have one place in the queue together, and follow one another without asking Redis', async () => {
    const holder = await lab.open().locks.acquire('seat');
    const client = lab.open();
    const grants: Grant[] = [];
    const all = await waitersOf(client, 200, grants);
    expect(await lab.queue('seat')).toHaveLength(1);
    await holder.release();
    await all();

    expect(grants).toHaveLength(200);
    expect(client.count('round-trip') / 200).toBeLessThan(0.1);
    expect(granted(client, 'tenure')).toBe(199);
  });

  test('have a larger token each, also after those of others', async () => {
    const clients = [lab.open(), lab.open(), lab.open()];
    const grants: Grant[] = [];
    await Promise.all(clients.map((client) => takeAll(client, 100, grants)));
    const tokens = grants.map(({ token }) => token);
    expect(tokens).toHaveLength(300);
    expect(tokens).toEqual([...new Set(tokens)].sort((a, b) => a - b));
  });

  test('have larger tokens than those before Redis lost its data, and smaller ones than those after', async () => {
    const first = lab.open();
    const before: Grant[] = [];
    await takeAll(first, 100, before);
    // Held by one of many when the data is lost.
    const lease = await first.locks.acquire('seat');
    await lab.redis.flushall();
    const after = await lab.open().locks.acquire('seat');
    expect(after.token).toBeGreaterThan(lease.token);
    expect(lease.token).toBeGreaterThan(Math.max(...before.map(({ token }) => token)));
    await after.release();
  });

  test('do not let tokens run ahead of the clock', async () => {
    const client = lab.open();
    const grants: Grant[] = [];
    await Promise.all([takeAll(client, 500, grants), takeAll(lab.open(), 500, grants)]);
    const lease = await client.locks.acquire('seat');
    const [seconds, micros] = await lab.redis.time();
    expect(lease.token).toBeLessThanOrEqual(Number(seconds) * 1_000_000 + Number(micros));
    await lease.release();
  });

  test('end their tenure while other processes wait, after those who had been waiting at its beginning', async () => {
    const holder = await lab.open().locks.acquire('seat');
    const [a, b] = [lab.open(), lab.open()];
    const grants: Grant[] = [];
    const endless = { going: true };
    // Five callers who come back at once, each time: without an end of the tenure the others would never have one.
    const crowdOfA = Promise.all(
      Array.from({ length: 5 }, async () => {
        while (endless.going) {
          await a.locks.withLock('seat', { waitMs: 20_000 }, async ({ token }) => {
            grants.push({ client: a, token });
            await nextTick();
          });
        }
      }),
    );
    await a.told('queued');
    const allOfB = await waitersOf(b, 10, grants);
    await holder.release();
    await allOfB();
    endless.going = false;
    await crowdOfA;

    const firstOfB = grants.findIndex(({ client }) => client === b);
    expect(firstOfB).toBe(5);
    expect(grants.slice(5, 15).every(({ client }) => client === b)).toBe(true);
    expect(a.count('handed-over')).toBeGreaterThan(0);
  });

  test('end their tenure after some time, too', async () => {
    const holder = await lab.open().locks.acquire('seat');
    const [a, b] = [lab.open({ tenureMs: 1 }), lab.open()];
    const order: Client[] = [];
    const slow = (client: Client) =>
      client.locks.withLock('seat', { waitMs: 20_000 }, async () => {
        order.push(client);
        const endMs = performance.now() + 2;
        while (performance.now() < endMs) await nextTick();
      });
    const allOfA = [slow(a), slow(a), slow(a)];
    await a.told('queued');
    const allOfB = [slow(b)];
    await b.told('queued');
    await holder.release();
    await Promise.all([...allOfA, ...allOfB]);
    expect(order).toEqual([a, b, a, a]);
  });

  test('go on without an end while nobody else waits', async () => {
    const client = lab.open({ tenureGrants: 10 });
    const grants: Grant[] = [];
    await takeAll(client, 100, grants);
    expect(grants).toHaveLength(100);
    expect(client.count('handed-over')).toBe(0);
    // One round trip at the end of each tenure of ten.
    expect(client.count('round-trip')).toBeLessThan(20);
  });

  test('get a token larger than each of them asks for, though others come in between', async () => {
    const client = lab.open();
    const holder = await client.locks.acquire('seat');
    const farAhead = holder.token + 3_600_000_000;
    const waits = [0, farAhead, 0, farAhead + 10_000_000_000].map((tokenAbove) =>
      client.locks.withLock('seat', { tokenAbove }, ({ token }) => ({ token, tokenAbove })),
    );
    await holder.release();
    const grants = await Promise.all(waits);
    for (const { token, tokenAbove } of grants) expect(token).toBeGreaterThan(tokenAbove);
    expect(grants.map(({ token }) => token)).toEqual(
      grants.map(({ token }) => token).toSorted((a, b) => a - b),
    );
  });

  test('have terms of their own: the one without renewal loses it at its end, and the next one gets it', async () => {
    const client = lab.open();
    const holder = await client.locks.acquire('seat', { ttlMs: 60_000 });
    const shortWait = client.locks.acquire('seat', { ttlMs: 300, renew: false });
    const nextWait = client.locks.acquire('seat');
    await holder.release();
    const short = await shortWait;
    expect(short.remainingMs()).toBeLessThanOrEqual(300);
    const next = await nextWait;
    expect(short.signal.reason).toMatchObject({ name: 'LockLostError', why: 'deadline' });
    expect(next.token).toBeGreaterThan(short.token);
    await next.release();
  });
});

describe('a process that keeps what it has', () => {
  const lingerMs = 60_000;

  test('gives it to its next caller without asking Redis, with a larger token', async () => {
    const client = lab.open({ lingerMs });
    const first = await client.locks.acquire('seat');
    await first.release();
    const before = client.count('round-trip');
    const second = await client.locks.acquire('seat');
    expect(second.token).toBeGreaterThan(first.token);
    await second.release();
    expect(client.count('round-trip')).toBe(before);
    expect(granted(client, 'linger')).toBe(1);
  });

  test('hands it over as soon as another one asks', async () => {
    const client = lab.open({ lingerMs });
    // Its next renewal, and the next look of whoever waits, are after the end of that wait.
    const lease = await client.locks.acquire('seat', { ttlMs: 60_000 });
    await lease.release();
    const next = await lab.open({ pollMs: 60_000 }).locks.acquire('seat');
    expect(next.token).toBeGreaterThan(lease.token);
    await next.release();
  });

  test('keeps it when somebody only tries: the error names the grant, for whoever would rather turn to its holder', async () => {
    const client = lab.open({ lingerMs });
    const lease = await client.locks.acquire('seat');
    await lease.release();
    const error: unknown = await lab
      .open()
      .locks.acquire('seat', { waitMs: 0 })
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(LockTimeoutError);
    const { holder = '' } = error as LockTimeoutError;
    expect(holder).toBe(lease.holder);
    expect(clientOf(holder)).toBe(client.locks.clientId);
    // Still kept, under the same grant.
    const next = await client.locks.acquire('seat');
    expect(granted(client, 'linger')).toBe(1);
    expect(next.holder).toBe(holder);
    await next.release();
  });

  test('hands it over also when it was not told: whoever waits asks again', async () => {
    const client = lab.open({ lingerMs });
    await client.locks.withLock('seat', () => undefined);
    const waiting = lab.open({ pollMs: 300 });
    // The question goes out while nobody listens.
    await lab.redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await (await waiting.locks.acquire('seat')).release();
    expect(client.count('handed-over')).toBe(1);
  });

  test('hands it over also when nobody asks again: its next renewal tells', async () => {
    const client = lab.open({ lingerMs });
    await client.locks.withLock('seat', { ttlMs: 600 }, () => undefined);
    const waiting = lab.open({ pollMs: 60_000 });
    await lab.redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await (await waiting.locks.acquire('seat')).release();
    expect(client.count('handed-over')).toBe(1);
  });

  test('does not keep it after a caller for whose lock another one has asked', async () => {
    const client = lab.open({ lingerMs });
    // As above: nothing but the release can hand it over in time.
    const lease = await client.locks.acquire('seat', { ttlMs: 60_000 });
    const other = lab.open({ pollMs: 60_000 });
    const next = other.locks.acquire('seat');
    await other.told('queued');
    // The answer tells that somebody waits, in case the message is late.
    await lease.extend();
    await lease.release();
    await (await next).release();
    expect(client.count('handed-over')).toBe(1);
  });

  test('does not keep it for longer than it said', async () => {
    const client = lab.open({ lingerMs: 50 });
    await client.locks.withLock('seat', () => undefined);
    await expect.poll(() => lab.redis.exists('{lock:seat}')).toBe(0);
  });

  test('does not pass it on after it was lost', async () => {
    const client = lab.open({ lingerMs });
    const first = await client.locks.acquire('seat', { ttlMs: 600 });
    await first.release();
    await lab.redis.del('{lock:seat}');
    const other = await lab.open().locks.acquire('seat');
    // Its next renewal tells.
    await expect.poll(() => client.locks.tryAcquire('seat'), { interval: 100 }).toBeNull();
    other.assertHeld();
    await other.release();
  });
});
