import { findBinary, startSentinelGroup } from '@lastseat/infra/servers';
import { describe, expect, inject, test } from 'vitest';

import { openHouse } from '../support/house.ts';
import { startReplica } from '../support/replica.ts';

// The servers must reach each other, which from one container to another takes a network of their own: they are plain
// processes.
const missing = findBinary('redis-server') === null;
const title = 'a replica finds the Redis that has taken over, and its tokens rise';

describe.skipIf(missing)(missing ? `${title} (no redis-server installed)` : title, () => {
  test('when the primary is killed', { timeout: 120_000 }, async () => {
    await using house = await openHouse(inject('postgresUrl'));
    await using group = await startSentinelGroup({ downAfterMs: 1_000 });
    await using replica = await startReplica('follower', {
      DATABASE_URL: house.databaseUrl,
      REDIS_SENTINELS: group.sentinels.map(({ port }) => `127.0.0.1:${port}`).join(','),
      REDIS_PRIMARY_NAME: group.name,
      LOCK_WAIT_MS: '1000',
    });
    const eventId = await house.newEvent(100);
    const book = () => replica.book(`/book/fenced-lock/${eventId}`);
    await expect.poll(async () => (await book()).status, { timeout: 30_000 }).toBe(201);
    const before = await book();
    expect(before.status).toBe(201);

    await (await group.primary()).kill();
    await expect.poll(async () => (await book()).status, { timeout: 60_000 }).toBe(201);
    const after = await book();
    expect(tokenOf(after.body)).toBeGreaterThan(tokenOf(before.body));
  });
});

function tokenOf(body: object): number {
  return 'fencingToken' in body ? Number(body.fencingToken) : Number.NaN;
}
