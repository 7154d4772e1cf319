import { expect, test } from 'vitest';

import { LockLostError, LockTimeoutError, LockUnavailableError } from '#src/errors.ts';
import { createLease } from '#src/lease.ts';
import type { Lease } from '#src/lock.ts';
import type { AcquireSettings } from '#src/options.ts';
import { acquireSeveral } from '#src/several-names.ts';

import { createHandClock, type HandClock } from '../hand-clock.ts';

const ttlMs = 9_000;
const names = ['a', 'b', 'c'];
const limits = { ttlMs, renew: false, maxHoldMs: Infinity };
const settings: AcquireSettings = { ...limits, waitMs: 0, signal: undefined, tokenAbove: 0 };

/** What becomes of a release, by the name of the lock. */
type Release = (name: string, clock: HandClock) => Promise<'released' | 'gone'>;

function setUp(release: Release) {
  const clock = createHandClock();
  const asked: string[] = [];
  const acquireOne = (name: string): Promise<Lease> => {
    const terms = { name, holder: 'me:1', token: 7, ...limits, sentAtMs: clock.now() };
    const port = {
      extend: () => Promise.resolve('held' as const),
      release() {
        asked.push(name);
        return release(name, clock);
      },
    };
    return Promise.resolve(createLease(terms, port, clock.timers));
  };
  return { clock, asked, acquireOne };
}

const commandTimeoutMs = 1_000;
const noAnswer: Release = (_name, clock) =>
  new Promise((_resolve, reject) => {
    clock.setTimeout(() => reject(new Error('no reply')), commandTimeoutMs);
  });

test('several leases are given back in reverse', async () => {
  const { asked, acquireOne } = setUp(() => Promise.resolve('released'));
  const lease = await acquireSeveral(acquireOne, names, settings);
  await lease.release();
  expect(asked).toEqual(['c', 'b', 'a']);
});

test('giving several back takes no longer than one, when there is no answer', async () => {
  const { clock, asked, acquireOne } = setUp(noAnswer);
  const lease = await acquireSeveral(acquireOne, names, settings);
  const released = lease.release().catch((error: unknown) => error);
  await clock.pass(commandTimeoutMs);
  expect(asked.slice(0, 3)).toEqual(['c', 'b', 'a']);
  expect(await released).toBeInstanceOf(LockUnavailableError);
});

test('disposing of several is silent about a missing answer: a good result stays one', async () => {
  const { clock, acquireOne } = setUp(noAnswer);
  const block = async () => {
    await using _lease = await acquireSeveral(acquireOne, names, settings);
    return 'sold';
  };
  const result = block();
  await clock.pass(commandTimeoutMs * names.length);
  await expect(result).resolves.toBe('sold');
});

test('disposing of several is loud when one of them was lost, whatever became of the others', async () => {
  const { clock, acquireOne } = setUp((name, clock) =>
    name === 'b' ? Promise.resolve('gone') : noAnswer(name, clock),
  );
  const lease = await acquireSeveral(acquireOne, names, settings);
  const disposed = Promise.resolve(lease[Symbol.asyncDispose]()).catch((error: unknown) => error);
  await clock.pass(commandTimeoutMs * names.length);
  expect(await disposed).toBeInstanceOf(LockLostError);
  expect(await disposed).toMatchObject({ lock: 'b' });
});

test('when a name cannot be had, the caller hears so no later than one release takes', async () => {
  const { clock, asked, acquireOne } = setUp(noAnswer);
  const taken = new LockTimeoutError({ lock: 'd', waitMs: 0 });
  const wait = acquireSeveral(
    (name) => (name === 'd' ? Promise.reject(taken) : acquireOne(name)),
    [...names, 'd'],
    settings,
  ).catch((error: unknown) => error);
  await clock.pass(commandTimeoutMs);
  expect(await wait).toMatchObject({ name: 'LockTimeoutError', lock: 'd' });
  expect(asked.slice(0, 3)).toEqual(['c', 'b', 'a']);
});

test.each(names)(
  'nothing is waited for, or kept, when the signal aborts as "%s" is granted',
  async (last) => {
    const { asked, acquireOne } = setUp(() => Promise.resolve('released'));
    const controller = new AbortController();
    const reason = new Error('the caller has gone');
    const granted: string[] = [];
    const wait = acquireSeveral(
      (name) => {
        granted.push(name);
        if (name === last) controller.abort(reason);
        return acquireOne(name);
      },
      names,
      { ...settings, signal: controller.signal },
    );
    await expect(wait).rejects.toBe(reason);
    expect(granted).toEqual(names.slice(0, names.indexOf(last) + 1));
    expect(asked).toEqual(granted.toReversed());
  },
);
