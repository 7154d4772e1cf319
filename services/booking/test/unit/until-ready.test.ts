import { expect, it, vi } from 'vitest';

import { untilReady } from '#src/until-ready.ts';

const FOR_EVER_MS = 60_000;

it('waits until nothing is missing any more', async () => {
  const failedChecks = vi
    .fn<() => Promise<string[]>>()
    .mockResolvedValueOnce(['Postgres', 'Redis'])
    .mockResolvedValueOnce(['Redis'])
    .mockResolvedValue([]);
  await untilReady(failedChecks, FOR_EVER_MS);
  expect(failedChecks).toHaveBeenCalledTimes(3);
});

it.each([
  ['that is away', async () => ['Redis']],
  ['that is silent', () => new Promise<string[]>(() => {})],
])('waits no longer than it may for a server %s', async (_, failedChecks) => {
  await expect(untilReady(failedChecks, 50)).resolves.toBeUndefined();
});
