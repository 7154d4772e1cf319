import { propertyParameters } from '@lastseat/infra/properties';
import { createDatabase } from '@lastseat/infra/servers';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';

import {
  raiseFence,
  takeStockAndInsertAll,
  takeStockAndInsertEach,
  type Batch,
} from '../../../services/booking/src/storage/batches.ts';
import {
  findBookedIds,
  insertBooking,
  takeStockAndInsertBooking,
} from '../../../services/booking/src/storage/bookings.ts';
import { lockStockAndCancelBooking } from '../../../services/booking/src/storage/cancellations.ts';
import { createEvent, eventExists } from '../../../services/booking/src/storage/events.ts';
import { findFirstBookings } from '../../../services/booking/src/storage/first-bookings.ts';
import { readStockNow } from '../../../services/booking/src/storage/held-stock.ts';
import {
  lockEventByAdvisory,
  lockStock,
  readStock,
  takeStock,
  takeStockFenced,
  writeStock,
  writeStockIfUnchanged,
} from '../../../services/booking/src/storage/inventory.ts';
import { migrateToLatest } from '../../../services/booking/src/storage/migrate.ts';
import { openPool, type PooledDb } from '../../../services/booking/src/storage/pool.ts';
import type { Trx } from '../../../services/booking/src/storage/schema.ts';
import type { Isolation } from '../../models/postgres.ts';
import {
  openModelSessions,
  openRealSessions,
  type ModelSessions,
  type Said,
  type Session,
  type Sessions,
} from '../support/sessions.ts';

/**
 * The model of Postgres says the same as Postgres: whatever the strategies send, in any order, over three connections that
 * wait for each other, are cut, and give up. Compared after each step: what was answered, with rows, their number and the
 * SQLSTATE; who waits; and at the end all rows. PROPERTY_RUNS=5000 plays it for long, FC_SEED draws others.
 */

const SESSIONS = 3;
/** The test itself takes seconds; whoever lets it run for long says so. */
const ONE_HOUR_MS = 3_600_000;
const CAPACITY = 5;

interface Args {
  /** One of two. */
  event: number;
  quantity: number;
  /** What is taken for a version, or for a number of changes, or is left. */
  number: number;
  token: number | null;
  /** Each one of a few, so that they meet. */
  bookings: readonly { booking: number; request: number; quantity: number }[];
  key: number | null;
}

type Step = { session: number } & (
  | { do: 'begin'; isolation: Isolation }
  | { do: 'commit' | 'rollback' | 'lose commit' | 'overstay' | 'cut' }
  | { do: 'statement'; name: keyof typeof STATEMENTS; args: Args; isImpatient: boolean }
);

/** Names of this history: its events, and ids of bookings, requests and keys. */
interface Names {
  events: readonly number[];
  id(kind: 'b' | 'a', number: number): string;
}

const BY = { strategy: 'row-lock', instanceId: 'r1', customer: 'ann', holdS: null };

const STATEMENTS = {
  'event exists': (db, args, names) => eventExists(db, eventOf(args, names)),
  'read stock': (db, args, names) => readStock(db, eventOf(args, names), performance.now()),
  'read stock now': (db, args, names) => readStockNow(db, eventOf(args, names)),
  'lock stock': (db, args, names) => lockStock(db, eventOf(args, names)),
  'lock stock unless it is locked': (db, args, names) =>
    lockStock(db, eventOf(args, names), { mayWait: false, arrivedAtMs: performance.now() }),
  'advisory lock': (db, args, names) => lockEventByAdvisory(db, eventOf(args, names)),
  'write stock': (db, args, names) =>
    writeStock(db, { ...writeOf(args, names), available: args.number - 1, changes: args.quantity - 1 }),
  'write stock if unchanged': (db, args, names) =>
    writeStockIfUnchanged(db, {
      ...writeOf(args, names),
      available: CAPACITY - args.quantity,
      version: args.number,
    }),
  'take stock': (db, args, names) => takeStock(db, writeOf(args, names)),
  'take stock fenced': (db, args, names) =>
    takeStockFenced(db, { ...writeOf(args, names), token: args.token ?? 1 }),
  'raise fence': (db, args, names) =>
    raiseFence(db, { eventId: eventOf(args, names), token: args.token ?? 1 }),
  'insert booking': (db, args, names) =>
    insertBooking(db, { ...bookingOf(args, names), epoch: 1, stockRevision: args.number }),
  'take stock and insert booking': (db, args, names) =>
    takeStockAndInsertBooking(db, { ...bookingOf(args, names), arrivedAtMs: performance.now() }),
  'take stock and insert all': (db, args, names) => takeStockAndInsertAll(db, batchOf(args, names)),
  'take stock and insert the rest': (db, args, names) =>
    takeStockAndInsertAll(db, { ...batchOf(args, names), arrivedAtMs: undefined }, { areTermsKept: true }),
  'take stock and insert each': (db, args, names) => {
    const [first, ...others] = args.bookings;
    const batches = [batchOf({ ...args, bookings: first === undefined ? [] : [first] }, names)];
    if (others.length > 0) batches.push(batchOf({ ...args, event: 1 - args.event, bookings: others }, names));
    return takeStockAndInsertEach(db, batches);
  },
  'find booked ids': (db, _, names) =>
    findBookedIds(
      db,
      IDS.map((number) => names.id('b', number)),
    ),
  'find first bookings': (db, args, names) => findFirstBookings(db, [bookingOf(args, names)]),
  'cancel booking': (db, args, names) =>
    lockStockAndCancelBooking(db, { ...bookingOf(args, names), state: 'confirmed' }),
} satisfies Record<string, (db: Trx, args: Args, names: Names) => Promise<unknown>>;

/** Bookings, and requests. */
const IDS = [0, 1, 2, 3, 4];

const eventOf = ({ event }: Args, { events }: Names) => events[event] as number;
const writeOf = (args: Args, names: Names) => ({
  eventId: eventOf(args, names),
  epoch: 1,
  quantity: args.quantity,
});

function bookingOf(args: Args, names: Names) {
  const { booking = 0, request = 0 } = args.bookings[0] ?? {};
  return {
    ...BY,
    bookingId: names.id('b', booking),
    requestId: names.id('a', request),
    idempotencyKey: args.key === null ? null : `key ${args.key}`,
    eventId: eventOf(args, names),
    quantity: args.quantity,
    fencingToken: args.token,
  };
}

function batchOf(args: Args, names: Names): Batch {
  const bookings = args.bookings.map(({ booking, request, quantity }) => ({
    ...BY,
    bookingId: names.id('b', booking),
    requestId: names.id('a', request),
    idempotencyKey: null,
    quantity,
  }));
  return {
    ...BY,
    eventId: eventOf(args, names),
    token: args.token,
    arrivedAtMs: performance.now(),
    bookings,
  };
}

const session = fc.integer({ min: 0, max: SESSIONS - 1 });
const oneOf = fc.constantFrom(...IDS);
const quantity = fc.integer({ min: 1, max: 3 });
const statement: fc.Arbitrary<Step> = fc.record({
  session,
  do: fc.constant('statement' as const),
  name: fc.constantFrom(...(Object.keys(STATEMENTS) as (keyof typeof STATEMENTS)[])),
  args: fc.record({
    event: fc.constantFrom(0, 0, 0, 1),
    quantity,
    number: fc.integer({ min: 0, max: 4 }),
    token: fc.constantFrom(null, 1, 2, 3),
    bookings: fc.array(fc.record({ booking: oneOf, request: oneOf, quantity }), {
      minLength: 1,
      maxLength: 3,
    }),
    key: fc.constantFrom(null, null, 1, 2),
  }),
  isImpatient: fc.integer({ min: 0, max: 9 }).map((number) => number === 0),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 16, arbitrary: statement },
  {
    weight: 6,
    arbitrary: fc.record({
      session,
      do: fc.constant('begin' as const),
      isolation: fc.constantFrom<Isolation>(
        'read committed',
        'read committed',
        'repeatable read',
        'serializable',
      ),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      session,
      do: fc.constantFrom<'commit' | 'rollback' | 'lose commit' | 'overstay' | 'cut'>(
        'commit',
        'commit',
        'commit',
        'commit',
        'rollback',
        'lose commit',
        'overstay',
        'cut',
      ),
    }),
  },
);

const opened = new AsyncDisposableStack();
let db: PooledDb;
let real: Sessions;

beforeAll(async () => {
  const { url } = opened.use(await createDatabase(inject('postgresUrl'), 'differential'));
  db = openPool({ url, max: 1, applicationName: 'differential-rows' });
  opened.defer(() => db.destroy());
  await migrateToLatest(db);
  real = opened.use(await openRealSessions(url, SESSIONS));
});

afterAll(() => opened.disposeAsync());

test(
  'the model of Postgres and Postgres answer the same, and let the same ones wait',
  async () => {
    const steps = fc.array(step, { minLength: 1, maxLength: 40, size: 'max' });
    const property = fc.asyncProperty(steps, compare);
    await expect(fc.assert(property, { seed: 1, ...propertyParameters(60) })).resolves.toBeUndefined();
  },
  ONE_HOUR_MS,
);

let histories = 0;

async function compare(steps: readonly Step[]): Promise<void> {
  const history = (histories += 1);
  const events = [(await createEvent(db, event)).id, (await createEvent(db, event)).id];
  const names: Names = {
    events,
    id: (kind, number) =>
      `00000000-0000-4000-8000-${kind}${history.toString(16).padStart(8, '0')}${number}00`,
  };
  const model = openModelSessions(events.map(newStock), SESSIONS);
  let isComparable = true;
  try {
    for (const one of steps) isComparable &&= await both(one, model, names);
    while (isComparable && real.all.some(isOpen)) {
      const session = real.all.findIndex((one) => isOpen(one) && !one.isPending);
      isComparable = await both({ session, do: 'rollback' }, model, names);
    }
    if (isComparable) expect(rowsOf(model, names)).toEqual(await realRowsOf(names));
  } finally {
    for (const one of real.all) if (isOpen(one) || one.isPending) one.cut();
    await real.untilStill();
    for (const one of real.all) one.takeSaid();
  }
}

const event = { name: 'Differential', capacity: CAPACITY };
const newStock = (event_id: number) => ({
  event_id,
  capacity: CAPACITY,
  available: CAPACITY,
  version: 0,
  fence: 0,
  epoch: 1,
  changes: 0,
});

const isOpen = ({ isolation }: Session) => isolation !== null;

/** @returns whether the history goes on: which of those that wait for each other is refused is chance */
async function both(step: Step, model: ModelSessions, names: Names): Promise<boolean> {
  const [ofReal, ofModel] = [real, model].map(({ all }) => all[step.session] as Session) as [
    Session,
    Session,
  ];
  if (!isPossible(step, ofReal)) return true;
  const isSerializable = real.all.map(({ isolation }) => isolation === 'serializable');

  play(step, ofReal, names);
  await real.untilStill();
  const said = real.all.map((one) => one.takeSaid());
  // Why it refuses one of them is its own affair, as long as it refuses those that it must.
  const refused = said.map((answers, i) => Boolean(isSerializable[i]) && errorIn(answers) === '40001');
  for (const [i, one] of model.all.entries()) model.refuse(one, refused[i] === true);

  play(step, ofModel, names);
  await model.untilStill();
  if (said.some((answers) => errorIn(answers) === '40P01')) {
    await model.breakDeadlock();
    // The other one of them may have given up meanwhile.
    const errors = model.all.map((one) => errorIn(one.takeSaid()));
    expect(errors.some((error) => error === '40P01' || error === '55P03')).toBe(true);
    return false;
  }
  expect(told(model, refused)).toEqual(told(real, refused, said));
  for (const one of model.all) model.refuse(one, false);
  return true;
}

function isPossible(step: Step, session: Session): boolean {
  if (session.isPending) return step.do === 'cut';
  switch (step.do) {
    case 'begin':
      return session.isolation === null;
    case 'commit':
    case 'rollback':
      return session.isolation !== null;
    case 'lose commit':
    case 'overstay':
      return !session.isFailed && (session.isolation ?? 'serializable') !== 'serializable';
    case 'statement':
    case 'cut':
      return true;
  }
}

function play(step: Step, session: Session, names: Names): void {
  switch (step.do) {
    case 'begin':
      return session.begin(step.isolation);
    case 'commit':
    case 'rollback':
      return session.end(step.do);
    case 'lose commit':
      return session.loseCommit();
    case 'overstay':
      return session.overstay(names.events[0] as number);
    case 'cut':
      return session.cut();
    case 'statement':
      return session.run((db) => STATEMENTS[step.name](db, step.args, names), step.isImpatient);
  }
}

function errorIn(said: readonly Said[]): string | undefined {
  return said.flatMap((one) => ('error' in one ? [one.error] : [])).at(-1);
}

/** What is compared of each session. */
function told(sessions: Sessions, refused: readonly boolean[], said?: readonly Said[][]): unknown {
  return sessions.all.map((session, i) => {
    const { isPending } = session;
    const answers = said?.[i] ?? session.takeSaid();
    // It may have been refused in an earlier one of the statements of a function.
    if (refused[i] === true) return { isPending, error: errorIn(answers) };
    return { isPending, answers: answers.map(inOrder) };
  });
}

/** Rows come in any order. */
function inOrder(said: Said): unknown {
  if ('rows' in said) return { ...said, rows: said.rows.map(ageless).sort() };
  if ('result' in said) return { result: ageless(plain(said.result)) };
  return said;
}

function plain(value: unknown): unknown {
  if (value instanceof Map || value instanceof Set) return [...value].map((one) => ageless(one)).sort();
  return value;
}

function ageless(row: unknown): string {
  return JSON.stringify(row, (name, value: unknown) => (name === 'ageMs' ? 0 : value));
}

function rowsOf({ rows }: ModelSessions, { events }: Names): unknown {
  const bookings = [...rows.bookings.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  return { stocks: events.map((id) => rows.stocks.get(id)), bookings };
}

async function realRowsOf({ events }: Names): Promise<unknown> {
  const stocks = await db
    .selectFrom('inventory')
    .select(['event_id', 'capacity', 'available', 'version', 'fence', 'epoch', 'changes'])
    .where('event_id', 'in', events)
    .orderBy('event_id')
    .execute();
  const bookings = await db
    .selectFrom('bookings')
    .select(['id', 'request_id', 'idempotency_key', 'event_id', 'quantity', 'customer', 'strategy'])
    .select(['instance_id', 'fencing_token', 'stock_revision', 'state'])
    .where('event_id', 'in', events)
    .orderBy('id')
    .execute();
  return { stocks, bookings };
}
