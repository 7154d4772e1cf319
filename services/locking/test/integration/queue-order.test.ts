import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import type { AcquireOptions, Lease } from '#src/index.ts';

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

/** Waits in the queue; resolves once it has a place there, with the wait that goes on. */
async function lineUp(
  client: Client,
  name = 'seat',
  options: AcquireOptions = {},
): Promise<{ lease: Promise<Lease> }> {
  const places = client.count('queued');
  const lease = client.locks.acquire(name, { waitMs: 20_000, ...options });
  lease.catch(() => undefined);
  await client.told('queued', places + 1);
  return { lease };
}

/** One of `count` ways to interleave: client i % clients makes call i. */
function inTurn(clients: readonly Client[], count: number): Client[] {
  return Array.from({ length: count }, (_, i) => clients[i % clients.length]!);
}

/** Who is not reached by messages yet takes no place in the queue, and asks in another way. */
async function openListening(options: Parameters<QueueLab['open']>[0] = {}): Promise<Client> {
  const client = lab.open(options);
  await client.locks.withLock('warm up', () => undefined);
  const channel = `lock:@${client.locks.clientId}`;
  await expect.poll(() => lab.redis.pubsub('NUMSUB', channel)).toEqual([channel, 1]);
  await client.locks.withLock('warm up', () => undefined);
  await lab.redis.del('{lock:warm up}:token');
  return client;
}

describe('the queue', () => {
  test.each([
    ['in as many processes', { coalesce: true }, 6],
    ['in three processes, one place per caller', { coalesce: false }, 3],
  ])('serves callers %s in the order of their arrival', async (_where, options, processes) => {
    const clients = Array.from({ length: processes }, () => lab.open(options));
    const holder = await lab.open(options).locks.acquire('seat');
    const order: number[] = [];
    const done: Promise<void>[] = [];
    for (const [i, client] of inTurn(clients, 6).entries()) {
      const { lease } = await lineUp(client);
      done.push(
        lease.then(async (own) => {
          order.push(i);
          await own.release();
        }),
      );
    }
    await holder.release();
    await Promise.all(done);
    expect(order).toEqual([0, 1, 2, 3, 4, 5]);
  });

  test('is handed over by the release itself: nobody can come in between, not even while the next one is deaf', async () => {
    const holder = await lab.open().locks.acquire('seat');
    const next = lab.open({ throughProxy: true });
    const { lease } = await lineUp(next);
    const [place] = await lab.queue('seat');
    lab.proxy.blackHole();
    await holder.release();
    expect(await lab.redis.hkeys('{lock:seat}')).toEqual([`${place!}!`]);
    expect(await lab.open().locks.tryAcquire('seat')).toBeNull();
    await lab.proxy.heal();
    await (await lease).release();
  });

  test('costs a waiting process one look a second, however many of its callers wait', async () => {
    const holder = await lab.open().locks.acquire('seat');
    const waiting = lab.open({ coalesce: false });
    const leases = [];
    for (let i = 0; i < 20; i += 1) leases.push(await lineUp(waiting));
    const before = waiting.count('round-trip');
    const startedMs = performance.now();
    await waiting.told('round-trip', before + 3);
    expect(performance.now() - startedMs).toBeGreaterThan(1_500);
    await holder.release();
    for (const { lease } of leases) await (await lease).release();
  });

  test('takes two round trips, also for a caller who had to wait', async () => {
    const one = await openListening();
    const other = await openListening({ pollMs: 60_000 });
    const before = one.count('round-trip');
    const lease = await one.locks.acquire('seat', { ttlMs: 60_000 });
    const otherBefore = other.count('round-trip');
    const next = await lineUp(other);
    const released = next.lease.then((own) => own.release());
    // When it has heard this, it has been told of the other one before, and does not try to end the lock as if it were
    // alone.
    await lab.redis.publish(`lock:@${one.locks.clientId}`, 'something of a later version');
    await one.told('ignored-message');
    await lease.release();
    expect(one.count('round-trip') - before).toBe(2);
    await released;
    expect(other.count('round-trip') - otherBefore).toBe(2);
  });

  test('takes no script to be ended, as long as nobody waits', async () => {
    const { locks } = await openListening();
    await lab.redis.config('RESETSTAT');
    await locks.withLock('seat', () => undefined);
    const stats = await lab.redis.info('commandstats');
    expect(stats).toMatch(/cmdstat_evalsha:calls=1,/);
    expect(stats).toMatch(/cmdstat_hdel:calls=1,/);
    expect(await lab.keys()).toEqual(['{lock:seat}:token']);
  });

  test('is handed over also by a holder that has not heard of those who wait', async () => {
    const one = await openListening();
    const lease = await one.locks.acquire('seat');
    // As the first waiter does it, without the message.
    await lab.redis.hset('{lock:seat}', `${lease.holder}!`, lease.token);
    expect(await lab.redis.hdel('{lock:seat}', lease.holder)).toBe(1);
    const { lease: next } = await lineUp(lab.open({ pollMs: 60_000 }));
    await lease.release();
    expect((await next).token).toBeGreaterThan(lease.token);
    expect(one.count('handed-over')).toBe(1);
    await (await next).release();
  });

  test.each([
    [10_000, true],
    [10_000, false],
    [5_000, false],
  ])(
    'lets the next one begin with nine tenths of its TTL at least: %i ms, renew: %s',
    async (ttlMs, renew) => {
      const holder = await lab.open().locks.acquire('seat');
      const { lease } = await lineUp(lab.open(), 'seat', { ttlMs, renew });
      // So long after it asked that it cannot be sure of as much without asking again, the shorter one at least.
      await sleep(700);
      const left = lease.then((own) => own.remainingMs());
      await holder.release();
      expect(await left).toBeGreaterThan(0.9 * ttlMs);
      expect(await lab.redis.pttl('{lock:seat}')).toBeLessThanOrEqual(ttlMs);
      await (await lease).release();
    },
  );

  test('lets nobody pass who tries while others wait and the holder has died', async () => {
    await lab.open().locks.acquire('seat', { ttlMs: 60_000, renew: false });
    const { lease } = await lineUp(lab.open());
    const late = lab.open();
    await late.locks.withLock('warm up', () => undefined);
    // As if it had expired at this very moment: whether the waiter has looked yet or not, it comes first.
    await lab.redis.del('{lock:seat}');
    expect(await late.locks.tryAcquire('seat')).toBeNull();
    await (await lease).release();
  });
});

describe('what is lost', () => {
  test('is replaced by a look after the subscription is back', async () => {
    const holder = await lab.open().locks.acquire('seat');
    const waiting = lab.open({ pollMs: 60_000 });
    const { lease } = await lineUp(waiting);
    // The subscriber is cut off, and passed over at that moment: only the look after its return can find it out.
    await lab.redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await holder.release();
    const own = await lease;
    expect(own.token).toBeGreaterThan(holder.token);
    await own.release();
  });

  test('is replaced by the slow look even if the subscription stands', async () => {
    const holder = await lab.open().locks.acquire('seat');
    const waiting = lab.open({ pollMs: 400 });
    const { lease } = await lineUp(waiting);
    const [place] = await lab.queue('seat');
    // As if the holder had handed over, and the message had gone nowhere.
    await lab.redis.zrem('{lock:seat}:queue', place!);
    await lab.redis.hdel('{lock:seat}', `${holder.holder}!`);
    await lab.redis.hset('{lock:seat}', `${place!}!`, holder.token + 1);
    await lab.redis.pexpire('{lock:seat}', 30_000);
    await (await lease).release();
    await expect(holder.release()).rejects.toMatchObject({ name: 'LockLostError', why: 'gone' });
  });

  test('and comes late, about a grant that was missed, is not believed', async () => {
    const holder = await lab.open().locks.acquire('seat');
    const waiting = lab.open({ pollMs: 60_000 });
    const { lease } = await lineUp(waiting);
    const [place] = await lab.queue('seat');
    const [, client, number] = /^(.*)\/\d+:(\d+)$/.exec(place!)!;
    const asked = waiting.count('round-trip');
    const late = [
      `granted ${number!}`,
      holder.token - 1,
      holder.token,
      holder.token - 1,
      60_000,
      0,
      '{lock:seat}',
    ];
    await lab.redis.publish(`lock:@${client!}`, late.join(' '));
    // It asks instead, and learns that it is not the holder.
    await waiting.told('round-trip', asked + 1);
    expect(waiting.count('granted')).toBe(0);
    expect(await lab.queue('seat')).toEqual([place]);
    await holder.release();
    expect((await lease).token).toBeGreaterThan(holder.token);
    await (await lease).release();
  });

  test('does not cost a waiter its place: who was passed over comes back before those behind it', async () => {
    const holder = await lab.open().locks.acquire('seat');
    const [first, second, third] = [lab.open(), lab.open(), lab.open()];
    const order: string[] = [];
    const waits = [];
    for (const [name, client] of Object.entries({ first, second, third })) {
      const { lease } = await lineUp(client);
      waits.push(
        lease.then(async (own) => {
          order.push(name);
          // Until the first one is back in the queue; without its old place it would be behind the third.
          if (name === 'second') await expect.poll(() => lab.queue('seat')).toHaveLength(2);
          await own.release();
        }),
      );
    }
    const [place] = await lab.queue('seat');
    // Exactly the first one is cut off at the moment of the hand-over.
    await lab.redis.zrem('{lock:seat}:queue', place!);
    await holder.release();
    await Promise.all(waits);
    expect(order).toEqual(['second', 'first', 'third']);
  });

  test('may be all messages and all data: everybody still gets the lock, with a larger token', async () => {
    const lost = await lab.open().locks.acquire('seat');
    const clients = [lab.open({ pollMs: 300 }), lab.open({ pollMs: 200 }), lab.open({ pollMs: 100 })];
    const tokens: number[] = [];
    const waits = [];
    for (const client of clients) {
      const { lease } = await lineUp(client);
      waits.push(
        lease.then(async (own) => {
          tokens.push(own.token);
          await own.release();
        }),
      );
    }
    await lab.redis.flushall();
    await Promise.all(waits);
    expect(tokens).toHaveLength(3);
    expect(Math.min(...tokens)).toBeGreaterThan(lost.token);
    await expect(lost.release()).rejects.toMatchObject({ name: 'LockLostError' });
  });
});

describe('the dead', () => {
  test('a waiter whose connection is gone is passed over at once', async () => {
    const holder = await lab.open().locks.acquire('seat');
    const aliveUntilMs = Date.now() + 60_000;
    for (let i = 0; i < 50; i += 1) {
      await lab.redis.zadd('{lock:seat}:queue', i + 1, `dead-${i}/10000:1`);
      await lab.redis.zadd('{lock:seat}:waiting', aliveUntilMs, `dead-${i}`);
    }
    const { lease } = await lineUp(lab.open());
    const startedMs = performance.now();
    await holder.release();
    await (await lease).release();
    // Not for the TTL of a single one of them.
    expect(performance.now() - startedMs).toBeLessThan(9_000);
  });

  test('a waiter who is stopped delays the others by its TTL, as a holder who is stopped does', async () => {
    const holder = await lab.open().locks.acquire('seat');
    // Its connection stands, so the message is received, by nobody.
    const stopped = lab.redis.duplicate();
    await stopped.subscribe('lock:@stopped');
    await lab.redis.zadd('{lock:seat}:queue', 1, 'stopped/700:1');
    await lab.redis.zadd('{lock:seat}:waiting', Date.now() + 60_000, 'stopped');
    const { lease } = await lineUp(lab.open());
    const startedMs = performance.now();
    await holder.release();
    await (await lease).release();
    expect(performance.now() - startedMs).toBeGreaterThan(650);
    expect(performance.now() - startedMs).toBeLessThan(9_000);
    stopped.disconnect();
  });

  test('a waiter who has been silent for long is passed over at once, though its connection stands', async () => {
    const holder = await lab.open().locks.acquire('seat');
    const stopped = lab.redis.duplicate();
    await stopped.subscribe('lock:@stopped');
    for (let i = 0; i < 50; i += 1) await lab.redis.zadd('{lock:seat}:queue', i + 1, `stopped/10000:${i}`);
    await lab.redis.zadd('{lock:seat}:waiting', Date.now() - 1, 'stopped');
    const { lease } = await lineUp(lab.open());
    const startedMs = performance.now();
    await holder.release();
    await (await lease).release();
    expect(performance.now() - startedMs).toBeLessThan(9_000);
    stopped.disconnect();
  });

  test('so many that they cannot all be passed over in one go keep nobody else from Redis for long', async () => {
    const holder = await lab.open().locks.acquire('seat');
    const dead = 23_000;
    for (let i = 0; i < dead; i += 1_000) {
      const some = Array.from({ length: 1_000 }, (_, j) => [i + j + 1, `dead/10000:${i + j}`]);
      await lab.redis.zadd('{lock:seat}:queue', ...some.flat());
    }
    const { lease } = await lineUp(lab.open({ pollMs: 100 }));
    await lab.redis.config('RESETSTAT');
    await holder.release();
    const own = await lease;
    expect(own.token).toBeGreaterThan(holder.token);
    // Each script a part of them.
    const stats = await lab.redis.info('commandstats');
    const calls = (name: string) => Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
    expect(calls('zpopmin')).toBeGreaterThan(dead);
    expect(calls('evalsha')).toBeGreaterThanOrEqual(5);
    await own.release();
  });

  test('a process that looks rarely is not passed over for that by one that looks often', async () => {
    const often = lab.open({ pollMs: 20 });
    const holder = await often.locks.acquire('seat');
    const { lease: first } = await lineUp(lab.open({ pollMs: 10_000 }));
    const second = lab.open({ pollMs: 20 });
    const { lease: last } = await lineUp(second);
    // So many looks of the others that it would count as dead if it had to look as often.
    await second.told('round-trip', second.count('round-trip') + 10);
    await holder.release();
    const order: string[] = [];
    await Promise.all([
      first.then((own) => (order.push('first'), own.release())),
      last.then((own) => (order.push('last'), own.release())),
    ]);
    expect(order).toEqual(['first', 'last']);
  });

  test('a holder delays the queue by its TTL and a moment, not by the next look of somebody', async () => {
    await lab.open().locks.acquire('seat', { ttlMs: 700, renew: false });
    // The next look comes after the end of its wait.
    const { lease } = await lineUp(lab.open({ pollMs: 60_000 }));
    await expect((await lease).release()).resolves.toBeUndefined();
  });
});
