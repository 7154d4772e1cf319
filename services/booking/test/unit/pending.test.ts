import { expect, test } from 'vitest';

import { failWith, giveUp } from '#src/booking/batching/pending.ts';

import { pendingRequest } from '../support/pending.ts';

const cause = new Error('the connection was lost');

test.each([
  ['fails', (pending: Parameters<typeof failWith>[0]) => failWith(pending, cause)],
  ['is given up', (pending: Parameters<typeof giveUp>[0]) => giveUp(pending, 'too late', cause)],
])('a request in doubt that %s is unknown, and says why', async (_, end) => {
  const { pending, outcome } = pendingRequest(1, { isInDoubt: true });
  end(pending);
  expect(await outcome).toEqual({ code: 'unknown', cause });
});

test('a request that is given up says why it was not decided', async () => {
  const { pending, outcome } = pendingRequest(1);
  giveUp(pending, 'too late', cause);
  expect(await outcome).toEqual({ code: 'busy', detail: 'too late', cause });
});
