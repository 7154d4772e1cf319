import { describe, expect, onTestFinished, test, vi } from 'vitest';

import { assembleLocks } from '#src/assemble-locks.ts';
import { LockLostError, LockUnavailableError } from '#src/errors.ts';
import type { Lease } from '#src/lock.ts';
import { acquireDefaults } from '#src/options.ts';
import { createWebLocks } from '#src/web-locks.ts';
import { runUnderLease } from '#src/with-lock.ts';

const lost = new LockLostError({ lock: 'seat', token: 1, why: 'gone' });
const unavailable = new LockUnavailableError({ lock: 'seat' });
const failure = new Error('sold out');

/** What comes of a body and a release that end so, and what is reported on the side. */
async function outcomeOf(body: () => unknown, releaseError?: Error) {
  const reported: unknown[] = [];
  let releases = 0;
  const lease = {
    async release() {
      releases += 1;
      if (releaseError !== undefined) throw releaseError;
    },
  } as Lease;
  const outcome = await runUnderLease(lease, body, (error) => reported.push(error)).then(
    (result) => ({ result }),
    (error: unknown) => ({ error }),
  );
  return { ...outcome, reported, releases };
}

const never = new AbortController().signal;
const fails = () => Promise.reject(failure);
const succeeds = () => 'sold';
const throwsAtOnce = () => {
  throw failure;
};

test.each([
  { body: succeeds, release: undefined, outcome: { result: 'sold', reported: [] } },
  { body: fails, release: undefined, outcome: { error: failure, reported: [] } },
  { body: throwsAtOnce, release: undefined, outcome: { error: failure, reported: [] } },
  { body: succeeds, release: lost, outcome: { error: lost, reported: [] } },
  { body: fails, release: lost, outcome: { error: failure, reported: [lost] } },
  { body: succeeds, release: unavailable, outcome: { result: 'sold', reported: [unavailable] } },
  { body: fails, release: unavailable, outcome: { error: failure, reported: [unavailable] } },
])('when the body $body.name and release throws $release.name', async ({ body, release, outcome }) => {
  expect(await outcomeOf(body, release)).toEqual({ ...outcome, releases: 1 });
});

const listeners: { how: string; onReleaseFailed: () => unknown }[] = [
  {
    how: 'throws',
    onReleaseFailed: () => {
      throw new Error('the log is full');
    },
  },
  { how: 'rejects', onReleaseFailed: () => Promise.reject(new Error('the log is full')) },
  { how: 'never ends', onReleaseFailed: () => new Promise(() => undefined) },
];

describe.each(listeners)('a listener that $how when it hears of a failing release', ({ onReleaseFailed }) => {
  const locks = assembleLocks({
    defaults: acquireDefaults,
    acquireOne: () => Promise.resolve({ release: () => Promise.reject(unavailable), signal: never } as Lease),
    onReleaseFailed,
    close: () => Promise.resolve(),
  });

  test.each([
    { way: 'withLock', run: (fn: () => unknown) => locks.withLock('seat', fn) },
    {
      way: 'Web Locks',
      run: (fn: () => unknown) => createWebLocks(locks, { onReleaseFailed }).request('seat', fn),
    },
  ])('replaces neither the error of the body nor its result: $way', async ({ run }) => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    onTestFinished(() => warned.mockRestore());
    await expect(run(fails)).rejects.toBe(failure);
    await expect(run(succeeds)).resolves.toBe('sold');
  });
});
