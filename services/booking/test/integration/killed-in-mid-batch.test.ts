import { startFaultProxy } from '@lastseat/infra/servers';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';

import { openHouse, type House } from '../support/house.ts';
import { startReplica } from '../support/replica.ts';

/** A replica that is killed at a chosen statement of a batch: as the proxy sees it, before or after Postgres does. */

let house: House;

beforeAll(async () => {
  house = await openHouse(inject('postgresUrl'));
});

afterAll(() => house[Symbol.asyncDispose]());

/** How the proxy knows them. */
const texts = {
  'the booking': 'with seen',
  'the lock of the row': 'for update',
  COMMIT: 'commit\0',
};

// Of a batch that is one statement, and (with a race window) of one that is a transaction of several.
const moments = [
  { when: 'before', at: 'the booking', raceWindowMs: 0, booked: 0 },
  { when: 'after', at: 'the booking', raceWindowMs: 0, booked: 2 },
  { when: 'after', at: 'the lock of the row', raceWindowMs: 1, booked: 0 },
  { when: 'after', at: 'the booking', raceWindowMs: 1, booked: 0 },
  { when: 'before', at: 'COMMIT', raceWindowMs: 1, booked: 0 },
  { when: 'after', at: 'COMMIT', raceWindowMs: 1, booked: 2 },
] as const;

describe.each(['batched-lock', 'batched-update'] as const)('%s', (name) => {
  test.each(moments)(
    'of a replica that is killed $when $at $booked tickets are booked, and another one sells the rest exactly (race window: $raceWindowMs)',
    async ({ at, when, raceWindowMs, booked }) => {
      await using wire = await startFaultProxy(Number(new URL(house.databaseUrl).port));
      const env = { DATABASE_URL: house.databaseUrl, REDIS_URL: inject('redisUrl'), LOCK_TTL_MS: '500' };
      await using killed = await startReplica('killed', {
        ...env,
        DATABASE_URL: wire.through(house.databaseUrl),
      });
      await using other = await startReplica('other', env);
      const eventId = await house.newEvent(5);
      const path = `/book/${name}/${eventId}`;

      const isThere = Promise.withResolvers<void>();
      const { done } = wire.dropReplies(1, {
        // The connection stays open, so that the replica learns nothing before it dies.
        afterwards: 'silence',
        matching(sent) {
          if (!sent.includes(texts[at])) return false;
          if (when === 'after') return true;
          killed.kill('SIGKILL');
          wire.cut();
          isThere.resolve();
          return false;
        },
      });
      void done.then(isThere.resolve);
      const [lost] = await Promise.all([
        Promise.allSettled([killed.book(path, { body: { quantity: 2 }, raceWindowMs })]),
        (async () => {
          await isThere.promise;
          killed.kill('SIGKILL');
          await killed.exited;
          wire.cut();
        })(),
      ]);
      expect(lost[0].status, 'it died before it answered').toBe('rejected');

      const answers = await Promise.all(Array.from({ length: 8 }, () => other.book(path)));
      const sold = answers.filter(({ status }) => status === 201).length;
      expect(sold).toBe(5 - booked);
      expect(answers.filter(({ status }) => status === 409)).toHaveLength(8 - sold);
      expect(await house.event(eventId)).toMatchObject({ available: 0, booked: 5 });
      const { rows } = await house.rowsByInstance(eventId);
      expect(rows.filter((row) => row.endsWith(' other'))).toHaveLength(sold);
    },
  );
});
