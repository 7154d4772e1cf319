import { getEventListeners } from 'node:events';
import { setImmediate as afterSending, setTimeout as sleep } from 'node:timers/promises';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import {
  clientOf,
  LockError,
  LockLostError,
  LockTimeoutError,
  LockUnavailableError,
  type Lease,
  type LockEvent,
  type Locks,
  type RenewalFailure,
  type WebLocksSource,
} from '#src/index.ts';

import { openLockLab, type ConformanceLab, type LockKind } from './lock-lab.ts';

/** Of the quorum lock: a live server on a busy machine must not count as a dead one. */
export const serverTimeoutMs = 1_000;

/** What every lock of this library promises, whatever its algorithm. Call it inside a `describe`. */
export function describeLocks(kind: LockKind): void {
  let lab: ConformanceLab;
  beforeAll(async () => {
    lab = await (kind.openLab?.() ?? openLockLab(kind));
  });
  beforeEach(() => lab.onAll('flushall'));
  afterEach(() => lab.closeAll());
  afterAll(() => lab[Symbol.asyncDispose]());

  test('tells of each call of a script that was answered, and how long it took', async () => {
    const calls: { script: string; tookMs: number }[] = [];
    const locks = lab.open({
      onEvent: (event) => {
        if (event.type === 'round-trip') calls.push(event);
      },
    });
    await locks.withLock('seat', () => expect(calls.length).toBeGreaterThanOrEqual(kind.servers / 2));
    const before = calls.length;
    await locks.withLock('seat', () => undefined);
    // It was asked for, and it was given back; each time a majority of the servers has answered.
    expect(calls.length - before).toBeGreaterThanOrEqual(kind.servers === 1 ? 2 : kind.servers);
    expect(calls.every(({ script, tookMs }) => script !== '' && tookMs > 0 && tookMs < 10_000)).toBe(true);
  });

  describe('one holder at a time', () => {
    test('many callers in several processes never meet, and their tokens increase', async () => {
      let inside = 0;
      const tokens: number[] = [];
      async function work(locks: Locks) {
        for (let round = 0; round < 3; round += 1) {
          await locks.withLock('seat', { waitMs: 25_000 }, async ({ token }) => {
            inside += 1;
            expect(inside).toBe(1);
            tokens.push(token);
            await sleep(1);
            inside -= 1;
          });
        }
      }
      const services = [lab.open(), lab.open(), lab.open()];
      await Promise.all(services.flatMap((locks) => [work(locks), work(locks), work(locks), work(locks)]));

      expect(tokens).toHaveLength(36);
      expect(tokens.every((token) => Number.isSafeInteger(token))).toBe(true);
      expect(tokens).toEqual([...new Set(tokens)].sort((a, b) => a - b));
    });

    test('different names do not wait for each other', async () => {
      const locks = lab.open();
      await using one = await locks.acquire('one', { waitMs: 0 });
      await using other = await locks.acquire('other', { waitMs: 0 });
      expect([one.name, other.name]).toEqual(['one', 'other']);
    });

    test('tryAcquire gets null while another holds the lock, and the lock once it is free', async () => {
      const [mine, theirs] = [lab.open(), lab.open()];
      const lease = await theirs.acquire('seat');
      expect(await mine.tryAcquire('seat')).toBeNull();
      await lease.release();
      await expect.poll(() => mine.tryAcquire('seat')).not.toBeNull();
    });

    test('any name will do, also an empty one or one with braces', async () => {
      const locks = lab.open();
      for (const name of ['', ' ', '{', '}', '{}', 'a}b', '*', 'ü/ß:☃']) {
        const lease = await locks.acquire(name, { waitMs: 0 });
        expect(await lab.open().tryAcquire(name)).toBeNull();
        await lease.release();
      }
    });
  });

  describe('fencing tokens', () => {
    test('a token is larger than those before it, also when Redis has lost everything in between', async () => {
      const locks = lab.open();
      const tokens: number[] = [];
      for (let round = 0; round < 5; round += 1) {
        await locks.withLock('seat', ({ token }) => void tokens.push(token));
        await lab.onAll('flushall');
      }
      expect(tokens).toEqual([...new Set(tokens)].sort((a, b) => a - b));
    });

    test('a token is larger than the one asked for, and so are those after it', async () => {
      const locks = lab.open();
      const farAhead = Date.now() * 1_000 + 3_600_000_000;
      const first = await locks.acquire('seat', { tokenAbove: farAhead });
      expect(first.token).toBeGreaterThan(farAhead);
      await first.release();
      const second = await lab.open().acquire('seat');
      expect(second.token).toBeGreaterThan(first.token);
      await second.release();
    });
  });

  describe('a wait', () => {
    test('that was in vain ends in time, and says who holds the lock', async () => {
      const lease = await lab.open({ clientId: 'the-holder' }).acquire('seat');
      const startedMs = performance.now();
      const error = await lab
        .open()
        .acquire('seat', { waitMs: 150 })
        .catch((error: unknown) => error);
      const waitedMs = performance.now() - startedMs;

      expect(error).toBeInstanceOf(LockTimeoutError);
      expect(error).toBeInstanceOf(LockError);
      expect(error).toMatchObject({ name: 'LockTimeoutError', lock: 'seat', waitMs: 150 });
      expect((error as LockTimeoutError).holder).toBe(lease.holder);
      expect(clientOf(lease.holder)).toContain('the-holder');
      expect(waitedMs).toBeGreaterThanOrEqual(149);
      // Not the ten seconds of the default, nor those of the holder's lease.
      expect(waitedMs).toBeLessThan(8_000);
    });

    test('ends with a lease soon after the holder has released', async () => {
      const lease = await lab.open().acquire('seat');
      const next = lab.open().acquire('seat');
      await lease.release();
      expect((await next).token).toBeGreaterThan(lease.token);
    });

    test('ends with a lease soon after the lease of a silent holder has expired', async () => {
      await lab.open().acquire('seat', { ttlMs: 300, renew: false });
      const startedMs = performance.now();
      await lab.open().acquire('seat');
      expect(performance.now() - startedMs).toBeLessThan(8_000);
    });

    test('is cancelled with the reason of its signal, and leaves nothing behind', async () => {
      const holder = await lab.open().acquire('seat');
      const waiting = lab.open();
      const controller = new AbortController();
      const reason = { because: 'the caller has gone' };
      const wait = waiting.acquire('seat', { signal: controller.signal });
      await sleep(60); // into the wait, past the first try; the outcome does not depend on it
      controller.abort(reason);
      await expect(wait).rejects.toBe(reason);

      await holder.release();
      await expect.poll(() => lab.open().tryAcquire('seat')).not.toBeNull();
    });

    test('that is cancelled at once still gives back a grant that was under way', async () => {
      const locks = lab.open();
      const controller = new AbortController();
      const wait = locks.acquire('seat', { signal: controller.signal, ttlMs: 60_000 });
      controller.abort();
      await expect(wait).rejects.toBe(controller.signal.reason);
      await expect.poll(() => lab.open().tryAcquire('seat')).not.toBeNull();
    });

    test('does not begin under an aborted signal', async () => {
      const reason = new Error('too late');
      const wait = lab.open().acquire('seat', { signal: AbortSignal.abort(reason) });
      await expect(wait).rejects.toBe(reason);
      expect(await lab.keys()).toEqual([]);
    });

    test('for a lock that its own process holds ends like any other, and says so', async () => {
      const locks = lab.open();
      const lease = await locks.acquire('seat');
      expect(await locks.tryAcquire('seat')).toBeNull();
      for (const waitMs of [0, 50]) {
        const again = await locks.acquire('seat', { waitMs }).catch((error: unknown) => error);
        expect(again).toMatchObject({ code: 'LOCK_TIMEOUT', holder: lease.holder, heldHere: true });
        expect((again as Error).message).toContain('pass its lease on');
      }
      const several = locks.acquire(['seat', 'other'], { waitMs: 0 });
      await expect(several).rejects.toMatchObject({ heldHere: true });
      const elsewhere = lab.open().acquire('seat', { waitMs: 0 });
      await expect(elsewhere).rejects.toMatchObject({ holder: lease.holder, heldHere: false });
      await lease.release();
    });

    test('takes options that are undefined for options that are not given', async () => {
      const nothing = { waitMs: undefined, ttlMs: undefined, renew: undefined, maxHoldMs: undefined };
      const locks = lab.open({ ...nothing, onEvent: undefined, onRenewalFailed: undefined });
      const lease = await locks.acquire('seat', { ...nothing, signal: undefined, tokenAbove: undefined });
      expect(lease.remainingMs()).toBeGreaterThan(5_000);
      await lease.release();
    });

    test('with an option that does not exist is refused, and so is a lock: both name what was meant', async () => {
      const misspelt = { ttlms: 5_000, wait: 7 } as never;
      expect(() => lab.open(misspelt)).toThrow(/"ttlms".* ttlMs\?/);
      const locks = lab.open();
      await expect(locks.acquire('seat', misspelt)).rejects.toThrow(/"ttlms".* ttlMs\?/);
      const { steal } = locks as WebLocksSource;
      if (steal !== undefined) await expect(steal('seat', misspelt)).rejects.toThrow(/"ttlms".* ttlMs\?/);
      await expect(locks.tryAcquire('seat', { xyz: 1 } as never)).rejects.toThrow(/"xyz".*waitMs, ttlMs/);
    });

    test.each([
      ['a negative wait', { waitMs: -1 }, RangeError],
      ['an endless wait', { waitMs: Infinity }, RangeError],
      ['a negative TTL', { ttlMs: -1 }, RangeError],
      ['a TTL of a fraction', { ttlMs: 100.5 }, RangeError],
      ['an unsafe token', { tokenAbove: Number.MAX_SAFE_INTEGER }, RangeError],
      ['a wait in words', { waitMs: 'long' as never }, TypeError],
      ['a lease that may last no time', { maxHoldMs: 0 }, RangeError],
      ['a signal that is none', { signal: {} as never }, TypeError],
    ])('with %s is refused', async (_what, options, errorClass) => {
      await expect(lab.open().acquire('seat', options)).rejects.toThrow(errorClass);
    });

    test('for a name that is none is refused', async () => {
      const locks = lab.open();
      await expect(locks.acquire(7 as never)).rejects.toThrow(TypeError);
      await expect(locks.acquire('\u{d800}')).rejects.toThrow(TypeError);
      await expect(locks.acquire('x'.repeat(513))).rejects.toThrow(RangeError);
      await expect(locks.acquire([])).rejects.toThrow(TypeError);
    });
  });

  describe('a lease', () => {
    test('counts down, ends with release, and then says so', async () => {
      const lease = await lab.open().acquire('seat', { ttlMs: 5_000 });
      expect(lease.remainingMs()).toBeGreaterThan(3_000);
      expect(lease.remainingMs()).toBeLessThan(5_000);
      expect(() => lease.assertHeld()).not.toThrow();
      await lease.release();
      expect(lease.remainingMs()).toBe(0);
      expect(() => lease.assertHeld()).toThrow(LockLostError);
      await expect(lease.release()).resolves.toBeUndefined();
      // That was its holder's own doing, so nobody has to be told.
      expect(lease.signal.aborted).toBe(false);
    });

    test('ends after maxHoldMs, although it is renewed, and others need not wait for its TTL', async () => {
      const locks = lab.open({ maxHoldMs: 300 });
      const lease = await locks.acquire('seat', { ttlMs: 60_000 });
      expect(lease.remainingMs()).toBeLessThanOrEqual(300);
      const aborted = onceAborted(lease);
      const next = await lab.open().acquire('seat', { waitMs: 20_000 });
      expect(await aborted).toMatchObject({ code: 'LOCK_LOST', token: lease.token, why: 'max-hold' });
      await expect(lease.release()).rejects.toThrow(LockLostError);
      expect(() => next.assertHeld()).not.toThrow();
      await next.release();
      // The next caller of the same process has its own limit, or none.
      const unlimited = await locks.acquire('seat', { ttlMs: 60_000, maxHoldMs: 30_000 });
      expect(unlimited.remainingMs()).toBeGreaterThan(20_000);
      await unlimited.release();
    });

    test('is renewed for as long as it is held', async () => {
      let renewals = 0;
      const onEvent = ({ type }: LockEvent) => void (renewals += type === 'renewed' ? 1 : 0);
      // A busy machine may come late to a renewal, but not by two thirds of this.
      const lease = await lab.open({ onEvent }).acquire('seat', { ttlMs: 1_500 });
      // Each after a third of its TTL: by then its first term would be over.
      await expect.poll(() => renewals).toBeGreaterThan(4);
      expect(() => lease.assertHeld()).not.toThrow();
      expect(await lab.open().tryAcquire('seat')).toBeNull();
      await lease.release();
    });

    test('without renewal aborts its signal at its deadline, before Redis lets another in', async () => {
      const lease = await lab.open().acquire('seat', { ttlMs: 300, renew: false });
      const aborted = onceAborted(lease);
      const next = await lab.open().acquire('seat');
      expect(lease.signal.aborted).toBe(true);
      expect(await aborted).toBeInstanceOf(LockLostError);
      expect(await aborted).toMatchObject({ lock: 'seat', token: lease.token, why: 'deadline' });
      await expect(lease.release()).rejects.toThrow(LockLostError);
      expect(() => next.assertHeld()).not.toThrow();
      await next.release();
    });

    test('can be extended, with renewal and without', async () => {
      const locks = lab.open();
      for (const renew of [true, false]) {
        const lease = await locks.acquire('seat', { ttlMs: 1_000, renew });
        await lease.extend(20_000);
        expect(lease.remainingMs()).toBeGreaterThan(15_000);
        await lease.release();
        await expect(lease.extend()).rejects.toThrow(LockLostError);
      }
    });

    test('whose lock Redis has lost learns so at its next renewal', async () => {
      const lease = await lab.open().acquire('seat', { ttlMs: 600 });
      const aborted = onceAborted(lease);
      await lab.onAll('flushall');
      expect(await aborted).toBeInstanceOf(LockLostError);
      expect(await aborted).toMatchObject({ lock: 'seat', token: lease.token });
      expect(() => lease.assertHeld()).toThrow(LockLostError);
      expect(lease.remainingMs()).toBe(0);
      await expect(lease.release()).rejects.toThrow(LockLostError);
      await expect.poll(() => lab.open().tryAcquire('seat')).not.toBeNull();
    });

    test('whose lock Redis has lost learns so when it is released or extended', async () => {
      const locks = lab.open();
      const released = await locks.acquire('seat');
      await lab.onAll('flushall');
      await expect(released.release()).rejects.toMatchObject({ name: 'LockLostError', lock: 'seat' });
      const extended = await locks.acquire('seat');
      await lab.onAll('flushall');
      await expect(extended.extend()).rejects.toThrow(LockLostError);
    });

    test('that was lost cannot give back the lock of its successor', async () => {
      const lost = await lab.open().acquire('seat');
      await lab.onAll('flushall');
      const successor = await lab.open().acquire('seat');
      await expect(lost.release()).rejects.toMatchObject({ name: 'LockLostError', why: 'taken' });
      expect(await lab.open().tryAcquire('seat')).toBeNull();
      await expect(successor.release()).resolves.toBeUndefined();
    });

    test('is given back at the end of its block', async () => {
      const locks = lab.open();
      {
        await using lease = await locks.acquire('seat');
        expect(lease.remainingMs()).toBeGreaterThan(0);
        expect(await lab.open().tryAcquire('seat')).toBeNull();
      }
      await expect.poll(() => lab.open().tryAcquire('seat')).not.toBeNull();
    });
  });

  describe('withLock', () => {
    test('gives the result of its body, and the lock back', async () => {
      const locks = lab.open();
      expect(await locks.withLock('seat', ({ token }) => token > 0)).toBe(true);
      expect(await locks.withLock('seat', { waitMs: 1_000 }, () => Promise.resolve('late'))).toBe('late');
    });

    test('throws what its body throws, and gives the lock back', async () => {
      const locks = lab.open();
      const failure = new Error('sold out');
      await expect(locks.withLock('seat', () => Promise.reject(failure))).rejects.toBe(failure);
      await expect.poll(() => lab.open().tryAcquire('seat')).not.toBeNull();
    });

    test('throws what its body throws, also when the lease was lost meanwhile', async () => {
      const failure = new Error('sold out');
      const failing = lab.open().withLock('seat', async () => {
        await lab.onAll('flushall');
        throw failure;
      });
      await expect(failing).rejects.toBe(failure);
    });

    test('does not pass off a result as protected when the lease was lost meanwhile', async () => {
      const unprotected = lab.open().withLock('seat', async () => {
        await lab.onAll('flushall');
        return 'sold';
      });
      await expect(unprotected).rejects.toThrow(LockLostError);
    });
  });

  describe('several names', () => {
    test('are taken together, each once, and given back together', async () => {
      const locks = lab.open();
      const lease = await locks.acquire(['b', 'a', 'b']);
      expect(lease.name).toBe('a, b');
      expect([...lease.tokens!.keys()]).toEqual(['a', 'b']);
      expect(lease.token).toBe(Math.max(...lease.tokens!.values()));
      expect(() => lease.assertHeld()).not.toThrow();
      const other = lab.open();
      expect(await other.tryAcquire('a')).toBeNull();
      expect(await other.tryAcquire(['b', 'c'])).toBeNull();
      await lease.release();
      await expect.poll(() => other.tryAcquire(['a', 'b', 'c'])).not.toBeNull();
    });

    test('are taken all or none', async () => {
      const held = await lab.open().acquire('b');
      const locks = lab.open();
      const error = await locks.acquire(['a', 'b', 'c'], { waitMs: 100 }).catch((error: unknown) => error);
      expect(error).toBeInstanceOf(LockTimeoutError);
      expect(error).toMatchObject({ lock: 'b', waitMs: 100 });
      await using rest = await lab.open().acquire(['a', 'c'], { waitMs: 5_000 });
      expect(rest.name).toBe('a, c');
      await held.release();
    });

    test('do not lock each other out, whatever their order', async () => {
      const services = [lab.open(), lab.open()];
      const orders = [
        ['a', 'b', 'c'],
        ['c', 'b', 'a'],
        ['b', 'c', 'a'],
      ];
      let done = 0;
      await Promise.all(
        services.flatMap((locks) =>
          orders.map((names) => locks.withLock(names, { waitMs: 25_000 }, () => void (done += 1))),
        ),
      );
      expect(done).toBe(6);
    });

    test('are not waited for when one of those before them has been lost', async () => {
      await lab.open().acquire('b');
      const startedMs = performance.now();
      const wait = lab.open().acquire(['a', 'b'], { ttlMs: 300, renew: false });
      await expect(wait).rejects.toMatchObject({ name: 'LockLostError', lock: 'a' });
      expect(performance.now() - startedMs).toBeLessThan(8_000);
    });

    test.each(['a', 'b', 'c'])('are none, and at once, when the signal aborts after "%s"', async (last) => {
      const controller = new AbortController();
      const reason = new Error('the caller has gone');
      const locks = lab.open({
        onEvent(event) {
          if (event.type === 'granted' && event.lock === last) controller.abort(reason);
        },
      });
      // Whoever waits for the name after that would wait longer than the test may last.
      const held = last === 'c' ? null : await lab.open().acquire(last === 'a' ? 'b' : 'c');
      const wait = locks.acquire(['a', 'b', 'c'], {
        signal: controller.signal,
        waitMs: 60_000,
        ttlMs: 60_000,
      });
      await expect(wait).rejects.toBe(reason);
      await held?.release();
      await (await lab.open().acquire(['a', 'b', 'c'], { waitMs: 20_000 })).release();
    });

    test('are lost together', async () => {
      const lease = await lab.open().acquire(['a', 'b'], { ttlMs: 300 });
      const aborted = onceAborted(lease);
      await lab.onAll('flushall');
      expect(await aborted).toBeInstanceOf(LockLostError);
      expect(lease.remainingMs()).toBe(0);
      await expect(lease.release()).rejects.toThrow(LockLostError);
    });
  });

  describe('trouble with Redis', () => {
    test('that has forgotten the scripts is not noticed', async () => {
      const locks = lab.open();
      for (const use of [(lease: Lease) => lease.extend(), () => undefined]) {
        await lab.onAll('scriptflush');
        const lease = await locks.acquire('seat', { waitMs: 1_000 });
        await lab.onAll('scriptflush');
        await use(lease);
        await lab.onAll('scriptflush');
        await expect(lease.release()).resolves.toBeUndefined();
      }
    });

    test('that loses the reply to acquire is answered with the same grant', async () => {
      const locks = lab.open({ throughProxies: true });
      await locks.withLock('warm up', () => undefined);
      const losses = lab.proxies.map((proxy) =>
        proxy.dropReplies(1, { matching: (request) => request.includes('seat') }),
      );
      const lease = await locks.acquire('seat', { ttlMs: 60_000, waitMs: 5_000 });
      await Promise.all(losses.map((loss) => loss.done));
      lease.assertHeld();
      expect(await lab.open().tryAcquire('seat')).toBeNull();
      await lease.release();
      await expect.poll(() => lab.open().tryAcquire('seat')).not.toBeNull();
    });

    test('that loses the reply to release does not look like a lost lease', async () => {
      const locks = lab.open({ throughProxies: true });
      await locks.withLock('warm up', () => undefined);
      const lease = await locks.acquire('seat', { ttlMs: 60_000 });
      const losses = lab.proxies.map((proxy) =>
        proxy.dropReplies(1, { matching: (request) => request.includes('seat') }),
      );
      const outcome = await lease.release().catch((error: unknown) => error);
      await Promise.all(losses.map((loss) => loss.done));
      // Either it was found out, or it is not known; it is never called lost.
      expect(outcome === undefined || outcome instanceof LockUnavailableError).toBe(true);
      await expect.poll(() => lab.open().tryAcquire('seat')).not.toBeNull();
    });

    test('that cannot be reached ends a wait in bounded time, and is over when it returns', async () => {
      const locks = lab.open({ throughProxies: true });
      await locks.withLock('warm up', () => undefined);
      await Promise.all(lab.proxies.map((proxy) => proxy.refuse()));
      const startedMs = performance.now();
      const error = await locks.acquire('seat', { waitMs: 300 }).catch((error: unknown) => error);
      expect(performance.now() - startedMs).toBeLessThan(4_000);
      expect(error).toBeInstanceOf(LockUnavailableError);
      expect(error).toMatchObject({ name: 'LockUnavailableError', lock: 'seat' });
      expect((error as LockUnavailableError).cause).toBeInstanceOf(Error);
      await expect(locks.tryAcquire('seat')).rejects.toThrow(LockUnavailableError);

      await Promise.all(lab.proxies.map((proxy) => proxy.heal()));
      await expect(locks.withLock('seat', () => 'back')).resolves.toBe('back');
    });

    test('that falls silent ends a wait in bounded time, and what was asked in vain is not held for long', async () => {
      const locks = lab.open({ throughProxies: true });
      await locks.withLock('warm up', () => undefined);
      for (const proxy of lab.proxies) proxy.blackHole();
      const startedMs = performance.now();
      const wait = locks.acquire('seat', { waitMs: 300, ttlMs: 60_000 });
      await expect(wait).rejects.toThrow(LockUnavailableError);
      expect(performance.now() - startedMs).toBeLessThan(4_000);

      await Promise.all(lab.proxies.map((proxy) => proxy.heal()));
      await expect(lab.open().withLock('seat', { waitMs: 10_000 }, () => 'free')).resolves.toBe('free');
    });

    test('that falls silent ends a lease at its deadline; a renewal that failed is told before', async () => {
      const failures: RenewalFailure[] = [];
      const onRenewalFailed = (failure: RenewalFailure) => void failures.push(failure);
      const locks = lab.open({ throughProxies: true, onRenewalFailed });
      // Longer than the lock waits for an answer to its renewal.
      const lease = await locks.acquire('seat', { ttlMs: 2_400 });
      const aborted = onceAborted(lease);
      for (const proxy of lab.proxies) proxy.blackHole();
      expect(await aborted).toMatchObject({ name: 'LockLostError', why: 'deadline' });
      expect(failures[0]).toMatchObject({ lock: 'seat', token: lease.token, cause: expect.any(Error) });
      const next = await lab.open().acquire('seat');
      expect(next.token).toBeGreaterThan(lease.token);
      await next.release();
    });
  });

  describe('housekeeping', () => {
    test('a service that is closed sends its waiters away and gives its leases back', async () => {
      const locks = lab.open();
      const leases = await Promise.all(['a', 'b'].map((name) => locks.acquire(name, { ttlMs: 60_000 })));
      const wait = locks.acquire('a').catch((error: unknown) => error);
      const ends = Promise.all(leases.map(onceAborted));
      await locks.close();
      expect(await wait).toMatchObject(closed);
      expect(leases.map((lease) => lease.remainingMs())).toEqual([0, 0]);
      expect(await ends).toEqual(
        ['a', 'b'].map((lock) => expect.objectContaining({ code: 'LOCK_LOST', lock, why: 'closed' })),
      );
      await expect(locks.acquire('a')).rejects.toMatchObject(closed);
      await expect(locks.tryAcquire(['a', 'b'])).rejects.toMatchObject(closed);
      const { steal, inspect } = locks as WebLocksSource;
      if (steal !== undefined) await expect(steal('a')).rejects.toMatchObject(closed);
      if (inspect !== undefined) await expect(inspect()).rejects.toMatchObject(closed);
      await expect.poll(() => lab.open().tryAcquire(['a', 'b'])).not.toBeNull();
    });

    test('a service that is closed waits for a release that is under way', async () => {
      const locks = lab.open();
      const lease = await locks.acquire('seat', { ttlMs: 60_000 });
      const released = lease.release();
      await locks.close();
      await expect(released).resolves.toBeUndefined();
    });

    test.each([
      ['before', () => Promise.resolve()],
      ['after', () => afterSending()],
    ])('a service that is closed %s a question of its own is sent keeps no lock', async (_when, ready) => {
      const locks = lab.open();
      await locks.withLock('warm up', () => undefined);
      const wait = locks.acquire('seat', { ttlMs: 60_000 });
      const outcome = Promise.allSettled([wait]);
      await ready();
      await locks.close();
      await outcome;
      await expect.poll(() => lab.open().tryAcquire('seat')).not.toBeNull();
    });

    test('a result is not passed off as protected when the service was closed meanwhile', async () => {
      const locks = lab.open();
      const unprotected = locks.withLock('seat', async () => {
        await locks[Symbol.asyncDispose]();
        return 'sold';
      });
      await expect(unprotected).rejects.toMatchObject({ code: 'LOCK_LOST', why: 'closed' });
    });

    test('nothing is left in Redis once all is released and the memory of tokens has expired', async () => {
      const locks = lab.open({ tokenMemoryMs: 200, ttlMs: 500 });
      await Promise.all(['a', 'b', 'c'].map((name) => locks.withLock(name, () => sleep(5))));
      const holder = await locks.acquire('a');
      await expect(locks.acquire('a', { waitMs: 20 })).rejects.toThrow(LockTimeoutError);
      await holder.release();
      await locks.withLock(['a', 'd'], () => undefined);
      await locks[Symbol.asyncDispose]();
      await expect.poll(() => lab.keys(), { timeout: 15_000 }).toEqual([]);
    });

    test('no listener is left behind by waits, with or without a signal', async () => {
      const locks = lab.open();
      const { signal } = new AbortController();
      const listeners = () =>
        lab.clients
          .flatMap((redis) => redis.eventNames().map((event) => redis.listenerCount(event)))
          .reduce((sum, count) => sum + count, 0);
      await locks.withLock('seat', { signal }, () => undefined);
      // A connection that is still being made, to a server that no majority waits for, has some of its own.
      const before = listeners();
      for (let round = 0; round < 20; round += 1) await locks.withLock('seat', { signal }, () => undefined);
      expect(listeners()).toBeLessThanOrEqual(before);
      expect(getEventListeners(signal, 'abort')).toEqual([]);
    });
  });
}

/** Nothing is wrong with Redis then, and nobody should look for it there. */
const closed = {
  code: 'LOCK_UNAVAILABLE',
  message: expect.stringMatching(/^(?!.*reachable).*lock service .*was closed/) as string,
};

function onceAborted({ signal }: Lease): Promise<unknown> {
  const { promise, resolve } = Promise.withResolvers<unknown>();
  if (signal.aborted) resolve(signal.reason);
  signal.addEventListener('abort', () => resolve(signal.reason), { once: true });
  return promise;
}
