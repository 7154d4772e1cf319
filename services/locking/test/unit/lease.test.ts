import { describe, expect, test, vi } from 'vitest';

import { LockLostError, LockUnavailableError } from '#src/errors.ts';
import { driftMs } from '#src/lease-deadline.ts';
import { createLease, type LeasePort } from '#src/lease.ts';

import { createHandClock } from '../hand-clock.ts';

const ttlMs = 9_000;
const common = { name: 'seat', holder: 'me:1', token: 7, ttlMs, renew: true, maxHoldMs: Infinity };

function setUp(port: Partial<LeasePort> = {}, terms: { renew?: boolean; maxHoldMs?: number } = {}) {
  const clock = createHandClock();
  const extend = vi.fn<LeasePort['extend']>(port.extend ?? (() => Promise.resolve('held')));
  const release = vi.fn<LeasePort['release']>(port.release ?? (() => Promise.resolve('released')));
  const lease = createLease(
    { ...common, ...terms, sentAtMs: clock.now() },
    { ...port, extend, release },
    clock.timers,
  );
  return { clock, extend, release, lease };
}

const silent = () => new Promise<never>(() => {});
const unknown = () => Promise.reject(new Error('no reply'));

test('a lease is renewed each third of its TTL for as long as it is held', async () => {
  const { clock, extend, lease } = setUp();
  await clock.pass(30_000);
  expect(extend).toHaveBeenCalledTimes(10);
  lease.assertHeld();
  await lease.release();
  await clock.pass(30_000);
  expect(extend).toHaveBeenCalledTimes(10);
  expect(clock.timers.size).toBe(0);
});

test('without renewal it ends at its first deadline', async () => {
  const { clock, extend, lease } = setUp({}, { renew: false });
  await clock.pass(ttlMs - driftMs(ttlMs) - 1);
  expect(lease.signal.aborted).toBe(false);
  await clock.pass(1);
  expect(lease.signal.aborted).toBe(true);
  expect(extend).not.toHaveBeenCalled();
});

test('the signal aborts at the deadline while Redis hangs', async () => {
  const { clock, lease } = setUp({ extend: silent });
  const aborted = vi.fn<() => void>();
  lease.signal.addEventListener('abort', aborted);
  await clock.pass(ttlMs - driftMs(ttlMs) - 1);
  expect(aborted).not.toHaveBeenCalled();
  await clock.pass(1);
  expect(aborted).toHaveBeenCalledOnce();
  expect(lease.signal.reason).toMatchObject({ why: 'deadline', lock: 'seat', token: 7 });
});

test('the deadline counts from before the request: a slow answer makes the lease shorter, not later', async () => {
  const { clock, lease } = setUp({
    extend: async () => {
      clock.block(2_000);
      return 'held';
    },
  });
  await clock.pass(3_000);
  expect(lease.remainingMs()).toBe(ttlMs - driftMs(ttlMs) - 2_000);
});

test('unanswered renewals are repeated until one is answered', async () => {
  let answered = false;
  const { clock, extend, lease } = setUp({ extend: () => (answered ? Promise.resolve('held') : unknown()) });
  await clock.pass(5_000);
  expect(extend.mock.calls.length).toBeGreaterThan(2);
  answered = true;
  await clock.pass(5_000);
  lease.assertHeld();
});

test('a renewal that is told "not yours" ends the lease at once and is not repeated', async () => {
  const { clock, extend, lease } = setUp({ extend: () => Promise.resolve('taken') });
  await clock.pass(3_000);
  expect(lease.signal.reason).toMatchObject({ why: 'taken' });
  await clock.pass(10_000);
  expect(extend).toHaveBeenCalledOnce();
});

test('after a blocked event loop assertHeld and signal tell the loss before any timer has run', () => {
  const { clock, lease } = setUp();
  clock.block(ttlMs);
  expect(() => lease.assertHeld()).toThrow(LockLostError);
  expect(lease.signal.aborted).toBe(true);
  expect(lease.remainingMs()).toBe(0);
});

test('releasing a lost lease reports it and asks Redis for nothing', async () => {
  const { clock, release, lease } = setUp();
  clock.block(ttlMs);
  await expect(lease.release()).rejects.toThrow(LockLostError);
  await expect(lease.release()).rejects.toThrow(LockLostError);
  expect(release).not.toHaveBeenCalled();
});

test('a release that finds the lock gone reports the loss', async () => {
  const { lease } = setUp({ release: () => Promise.resolve('gone') });
  await expect(lease.release()).rejects.toMatchObject({ name: 'LockLostError', why: 'gone' });
});

test('release is idempotent, and nothing counts as held from the moment it is called', async () => {
  const { release, lease } = setUp();
  const first = lease.release();
  expect(() => lease.assertHeld()).toThrow(LockLostError);
  expect(lease.release()).toBe(first);
  await first;
  expect(release).toHaveBeenCalledOnce();
  expect(lease.signal.aborted).toBe(false);
});

test('a renewal under way when the lease is released changes nothing, whatever it is told', async () => {
  const answer = Promise.withResolvers<'gone'>();
  const { clock, extend, lease } = setUp({ extend: () => answer.promise });
  const { signal } = lease;
  await clock.pass(3_000);
  expect(extend).toHaveBeenCalledOnce();
  await lease.release();
  answer.resolve('gone');
  await clock.pass(20_000);
  expect(signal.aborted).toBe(false);
  expect(extend).toHaveBeenCalledOnce();
});

test('a release without an answer is unknown to its caller, and is repeated until the lease would have ended', async () => {
  const { clock, release, lease } = setUp({ release: unknown });
  await expect(lease.release()).rejects.toThrow(LockUnavailableError);
  await clock.pass(3_000);
  expect(release.mock.calls.length).toBeGreaterThan(3);
  await clock.pass(ttlMs);
  const calls = release.mock.calls.length;
  await clock.pass(ttlMs);
  expect(release).toHaveBeenCalledTimes(calls);
});

test('disposing a lease is loud about a loss and silent about a missing answer', async () => {
  const silentRelease = setUp({ release: unknown });
  await silentRelease.lease[Symbol.asyncDispose]();
  const lost = setUp();
  lost.clock.block(ttlMs);
  await expect(lost.lease[Symbol.asyncDispose]()).rejects.toThrow(LockLostError);
});

test('at the end of its block a lost lease comes before the error of the body, which it does not hide', async () => {
  const failure = new Error('sold out');
  const block = async () => {
    const { clock, lease } = setUp();
    await using _lease = lease;
    clock.block(ttlMs);
    throw failure;
  };
  const error = await block().catch((error: unknown) => error);
  expect(error).toBeInstanceOf(SuppressedError);
  expect(error).toMatchObject({ error: { name: 'LockLostError' }, suppressed: failure });
});

test('extend moves the deadline, and later renewals keep to the new TTL', async () => {
  const { clock, extend, lease } = setUp();
  await lease.extend(30_000);
  expect(lease.remainingMs()).toBe(30_000 - driftMs(30_000));
  await clock.pass(10_000);
  expect(extend.mock.calls).toEqual([[30_000], [30_000]]);
});

test('extend moves the end of a lease that is not renewed', async () => {
  const { clock, lease } = setUp({}, { renew: false });
  await clock.pass(5_000);
  await lease.extend();
  await clock.pass(5_000);
  lease.assertHeld();
  await clock.pass(4_000);
  expect(() => lease.assertHeld()).toThrow(LockLostError);
});

test('a shorter TTL counts from the moment it is asked for, even when no answer comes', async () => {
  const { clock, lease } = setUp({ extend: unknown }, { renew: false });
  await expect(lease.extend(1_000)).rejects.toThrow(LockUnavailableError);
  expect(lease.remainingMs()).toBe(1_000 - driftMs(1_000));
  await clock.pass(1_000);
  expect(() => lease.assertHeld()).toThrow(LockLostError);
});

test('extending what Redis no longer knows is a loss', async () => {
  const { lease } = setUp({ extend: () => Promise.resolve('gone') });
  await expect(lease.extend()).rejects.toMatchObject({ name: 'LockLostError', why: 'gone' });
  expect(lease.signal.aborted).toBe(true);
});

describe('maxHoldMs', () => {
  test('ends a lease that is renewed again and again', async () => {
    const onLoss = vi.fn<NonNullable<LeasePort['onLoss']>>();
    const { clock, extend, lease } = setUp({ onLoss }, { maxHoldMs: 10 * ttlMs });
    const { signal } = lease;
    await clock.pass(10 * ttlMs - 1);
    expect(extend.mock.calls.length).toBeGreaterThan(20);
    expect(signal.aborted).toBe(false);
    await clock.pass(1);
    expect(signal.reason).toMatchObject({ code: 'LOCK_LOST', why: 'max-hold' });
    expect(onLoss).toHaveBeenCalledExactlyOnceWith({ why: 'max-hold' });
    expect(clock.timeouts()).toBe(0);
  });

  test('ends it also where the event loop was blocked, by the next look', async () => {
    const { clock, lease } = setUp({}, { maxHoldMs: 100 });
    clock.block(100);
    expect(() => lease.assertHeld()).toThrow('longer than maxHoldMs');
  });

  test('cannot be extended', async () => {
    const { clock, lease } = setUp({}, { maxHoldMs: 100 });
    await lease.extend(5_000);
    expect(lease.remainingMs()).toBe(100);
    await clock.pass(100);
    expect(lease.remainingMs()).toBe(0);
  });

  test('is the smaller limit only: a deadline that comes first is a deadline', async () => {
    const { clock, lease } = setUp({}, { renew: false, maxHoldMs: ttlMs });
    await clock.pass(ttlMs);
    expect(() => lease.assertHeld()).toThrow('its deadline passed');
  });
});

test('a renewal that is not answered is told, each time, and not after the release', async () => {
  const onRenewalFailed = vi.fn<NonNullable<LeasePort['onRenewalFailed']>>();
  const { clock, lease } = setUp({ extend: unknown, onRenewalFailed });
  await clock.pass(ttlMs / 2);
  expect(onRenewalFailed.mock.calls.length).toBeGreaterThan(1);
  expect(onRenewalFailed).toHaveBeenLastCalledWith(expect.objectContaining({ message: 'no reply' }));
  await lease.release();
  onRenewalFailed.mockClear();
  await clock.pass(ttlMs);
  expect(onRenewalFailed).not.toHaveBeenCalled();
});
