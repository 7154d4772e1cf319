import { propertyParameters } from '@lastseat/infra/properties';
import { startFaultProxy, type FaultProxy } from '@lastseat/infra/servers';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';

import { book } from '#src/booking/book.ts';
import type { Context } from '#src/context.ts';

import { crashAt, type CrashPoint } from '../support/crash-points.ts';
import { openHouse, openTestContext, strategyOf, untilReady, type House } from '../support/house.ts';
import { bookingRequest } from '../support/requests.ts';
import { expectSoldOneByOne } from '../support/sold-one-by-one.ts';

/**
 * Batches on two replicas, with connections that break at chosen statements. A failure prints its seed and path;
 * FC_SEED (and FC_PATH) play it again.
 */

const opened = new AsyncDisposableStack();
let house: House;
let proxy: FaultProxy;
let replicas: Context[];

beforeAll(async () => {
  house = opened.use(await openHouse(inject('postgresUrl')));
  proxy = opened.use(await startFaultProxy(Number(new URL(house.databaseUrl).port)));
  const env = { DATABASE_URL: proxy.through(house.databaseUrl), REDIS_URL: inject('redisUrl') };
  replicas = ['one', 'two'].map((id) => opened.use(openTestContext({ ...env, INSTANCE_ID: id })));
  await Promise.all(replicas.map(untilReady));
});

afterAll(() => opened.disposeAsync());

interface Buyer {
  quantity: number;
  replica: number;
}

const stock = fc.integer({ min: 0, max: 40 });
const crowds = fc.array(
  fc.record({ quantity: fc.integer({ min: 1, max: 5 }), replica: fc.integer({ min: 0, max: 1 }) }),
  { minLength: 1, maxLength: 24 },
);
const crashes = fc.array(
  fc.record({
    // Those of a batch that does not fit, and in the next attempt one more: it looks for what it booked.
    statement: fc.integer({ min: 1, max: 7 }),
    when: fc.constantFrom('before', 'after'),
  }),
  { minLength: 1, maxLength: 3 },
);

/** Each statement of a batch that does not fit is lost once before and once after it, whatever the seed. */
function eachStatementOf(count: number) {
  return Array.from({ length: count }, (_, i) => i + 1).flatMap((statement) =>
    (['before', 'after'] as const).map((when): [number, Buyer[], CrashPoint[]] => [
      5,
      [2, 3, 4, 1].map((quantity) => ({ quantity, replica: 0 })),
      [{ statement, when }],
    ]),
  );
}

test.each([
  // One for all; begin, lock the row, raise the fence, book, commit.
  { name: 'batched-lock', statements: 6 },
  { name: 'batched-update', statements: 5 },
] as const)(
  '$name: connections that break before or after any statement of a batch: it is as if all had been sold one by one',
  async ({ name, statements }) => {
    const eachStatement = eachStatementOf(statements);
    const reached = new Set<string>();
    await fc.assert(
      fc.asyncProperty(stock, crowds, crashes, async (capacity, crowd, points) => {
        const eventId = await house.newEvent(capacity);
        const asked = crowd.map(({ quantity }) => bookingRequest(eventId, { quantity }));
        const crashed = crashAt(proxy, points);
        const outcomes = await Promise.all(
          asked.map((each, i) => book(strategyOf(replicas[crowd[i]!.replica]!, name), each)),
        );
        await proxy.heal();
        for (const { statement, when } of crashed) reached.add(`${when} ${statement}`);
        await expectSoldOneByOne(house, eventId, asked, outcomes);
        // One outage after the other, and each of them is over at once: under the fence whatever was lost has been found.
        if (name === 'batched-lock') expect(outcomes.map(({ code }) => code)).not.toContain('unknown');
      }),
      { ...propertyParameters(40), examples: eachStatement },
    );
    // Otherwise nothing was shown.
    for (const [, , [point]] of eachStatement)
      expect(reached).toContain(`${point?.when} ${point?.statement}`);
  },
);
