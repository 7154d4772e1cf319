import { expect, test } from 'vitest';

import { LockLostError, LockUnavailableError } from '#src/errors.ts';
import type { Lease } from '#src/lock.ts';
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
