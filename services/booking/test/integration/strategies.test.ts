import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';

import type { Context } from '#src/context.ts';
import { STRATEGY_NAMES } from '#src/contract.ts';

import type { Rig } from '../conformance/case.ts';
import { CONFORMANCE, sellLastTicket } from '../conformance/cases.ts';
import { openHouse, openTestContext, strategyOf, untilReady, type House } from '../support/house.ts';
import { startQuorum } from '../support/quorum.ts';

/** What every strategy owes whatever its guarantee; the crowd is in strategies-under-contention.test.ts. */

const opened = new AsyncDisposableStack();
let house: House;
/** Two replicas' worth. */
let here: Context;
let there: Context;
let rig: Rig;

beforeAll(async () => {
  house = opened.use(await openHouse(inject('postgresUrl')));
  const quorum = opened.use(await startQuorum());
  const env = {
    DATABASE_URL: house.databaseUrl,
    REDIS_URL: inject('redisUrl'),
    QUORUM_REDIS_URLS: quorum.urls,
  };
  here = opened.use(openTestContext({ ...env, INSTANCE_ID: 'here' }));
  there = opened.use(openTestContext({ ...env, INSTANCE_ID: 'there' }));
  await Promise.all([untilReady(here), untilReady(there)]);
  rig = { here, there, db: house.db, rows: house };
});

afterAll(() => opened.disposeAsync());

describe.each(STRATEGY_NAMES)('%s', (name) => {
  test.for(CONFORMANCE)('$title', async ({ isFor, run }, { skip }) => {
    skip(isFor?.(strategyOf(here, name)) === false, 'not asked of one that books in batches');
    await expect(run(rig, name)).resolves.toBeUndefined();
  });
});

const exact = STRATEGY_NAMES.filter((name) => name !== 'no-lock' && name !== 'simple-lock');

describe.each(exact)('%s, which has decided and not yet written,', (first) => {
  test('is exact beside each of the others', async () => {
    const sales = await Promise.all(exact.map((second) => sellLastTicket(rig, first, second)));
    expect(sales.filter(({ isExact }) => !isExact)).toEqual([]);
  });
});
