import { fail } from 'node:assert/strict';

import { sql } from 'kysely';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { z } from 'zod';

import type { Context } from '#src/context.ts';
import { openPool, type PooledDb } from '#src/storage/pool.ts';

import {
  type Document,
  drawRequest,
  operationsOf,
  type Operation,
  seededRandom,
  type Sent,
} from '../support/fuzz-requests.ts';
import { openHouse, openTestContext, untilReady, type House } from '../support/house.ts';
import { startQuorum } from '../support/quorum.ts';
import { lookInto } from '../support/rows.ts';
import { createTestApp, type TestApp } from '../support/test-app.ts';

/**
 * The OpenAPI document is the source of ten thousand requests, well- and ill-formed. No answer is a 5xx, each one is
 * among those that the document names and fits its schema, and Postgres has what it tells: what was done, and nothing
 * after a refusal.
 *
 * Several clients go on side by side, each with events of its own, so that each knows what Postgres must have.
 */

const REQUESTS = 10_000;
const CLIENTS = 12;
const SEED = Number(process.env['FUZZ_SEED'] ?? 1);
const TOKEN = 'a-token-of-some-length';

const opened = new AsyncDisposableStack();
let house: House;
/** A connection for each client, so that none waits for another one's look. */
let db: PooledDb;
let apps: TestApp[];
let document: Document;

beforeAll(async () => {
  house = opened.use(await openHouse(inject('postgresUrl')));
  db = openPool({
    url: house.databaseUrl,
    max: CLIENTS,
    applicationName: 'test',
    statementTimeoutMs: 30_000,
  });
  opened.defer(() => db.destroy());
  const quorum = opened.use(await startQuorum());
  const context: Context = opened.use(
    openTestContext({
      DATABASE_URL: house.databaseUrl,
      REDIS_URL: inject('redisUrl'),
      QUORUM_REDIS_URLS: quorum.urls,
    }),
  );
  await untilReady(context);
  apps = [true, false].map((labMode) =>
    createTestApp(context, {
      labMode,
      operators: [{ name: 'ada', token: TOKEN, scopes: ['events:write', 'bookings:read', 'bookings:write'] }],
    }),
  );
  document = (await (await apps[0]!.request('/openapi.json')).json()) as Document;
});

afterAll(() => opened.disposeAsync());

test(
  'ten thousand requests, drawn from the document, are answered as it says',
  { timeout: 180_000 },
  async () => {
    const operations = operationsOf(document);
    const seen = new Map<string, number>();
    const client = async (n: number) => {
      const random = seededRandom(SEED * 1_000 + n);
      const known: Known = {
        event_id: [String(await house.newEvent(40)), String(await house.newEvent(3))],
        booking_id: [],
        request_id: [],
        'Idempotency-Key': [`key-${n}-a`, `key-${n}-b`],
        'idempotency-key': [`key-${n}-a`, `key-${n}-b`],
        'x-race-window-ms': ['0', '1'],
        'If-Match': ['*'],
        'If-None-Match': ['*'],
        after: [],
        // Some thirty pages of its own: an export of everything would only take time.
        customer: [`client ${n}`],
      };
      for (let i = 0; i < REQUESTS / CLIENTS; i += 1) {
        const operation = operations[Math.floor(random() * operations.length)]!;
        const sent = drawRequest(random, document, operation, known);
        const isLab = random() < 0.6;
        if (!isLab && random() < 0.7) sent.init.headers['authorization'] = `Bearer ${TOKEN}`;
        await answerIsTrue(sent, apps[isLab ? 0 : 1]!, known, seen);
      }
    };
    await Promise.all(Array.from({ length: CLIENTS }, (_, n) => client(n)));

    // It was no walk along the refusals: every operation has succeeded, and has been refused where it can be.
    const succeeded = (id: string) => [...seen.keys()].some((key) => key.startsWith(`${id} 2`));
    expect(operations.map(({ operationId }) => operationId).filter((id) => !succeeded(id))).toEqual([]);
    expect([...seen.values()].reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(REQUESTS);
  },
);

async function answerIsTrue(
  sent: Sent,
  app: (typeof apps)[number],
  known: Known,
  seen: Map<string, number>,
): Promise<void> {
  const { operation, path, init } = sent;
  const what =
    `${init.method} ${path} ${JSON.stringify(init.headers)} ${typeof init.body === 'string' ? init.body : ''}`.slice(
      0,
      600,
    );
  const response = await app.request(path, init);
  const text = await response.text();
  const told = `seed ${SEED}: ${what}\nwas answered ${response.status} ${text.slice(0, 300)}`;
  seen.set(
    `${operation.operationId} ${response.status}`,
    (seen.get(`${operation.operationId} ${response.status}`) ?? 0) + 1,
  );

  if (response.status >= 500) fail(told);
  const problem = misfit(operation, response, text);
  if (problem !== undefined) fail(`${told}\n${problem}`);

  const changes = response.status < 300 && init.method !== 'GET' && !operation.operationId.startsWith('noop');
  if (init.method === 'GET') return; // What it had changed would be found after the next that is none.
  if (changes) {
    const shown = JSON.parse(text) as Shown;
    remember(known, response, shown);
    // A repeat gets the first answer, whatever has become of the booking since.
    await isInPostgres(shown, told, response.headers.has('idempotency-replayed'));
  }
  const facts = await factsOf(known);
  const before = lastFacts.get(known) ?? facts;
  if (!changes) expect(facts, `${told}\nand yet something has changed`).toBe(before);
  lastFacts.set(known, facts);
}

/** What a client knows of, by the names of parameters. */
type Known = Record<string, string[]>;

/** What Postgres had of a client's events after its last request. */
const lastFacts = new WeakMap<Known, string>();

interface Shown {
  id?: number;
  bookingId?: string;
  [field: string]: unknown;
}

/** Why the answer is none of those that the document names. */
function misfit({ responses }: Operation, response: Response, text: string): string | undefined {
  const named = responses[response.status];
  if (named === undefined) return `the document names ${Object.keys(responses).join(', ')}`;
  if (named.content === undefined) return text === '' ? undefined : 'the document names no body';
  const type = (response.headers.get('content-type') ?? '').split(';')[0] ?? '';
  const schema = named.content[type]?.schema;
  if (schema === undefined) return `the document names no ${type}`;
  if (!type.endsWith('json') || type.includes('ndjson')) return undefined;
  const result = validatorOf(schema).safeParse(JSON.parse(text));
  return result.error?.message;
}

const validators = new Map<object, z.ZodType>();

function validatorOf(schema: object): z.ZodType {
  let validator = validators.get(schema);
  if (validator === undefined) {
    const inOne = JSON.stringify({ ...schema, $defs: document.components.schemas });
    validator = z.fromJSONSchema(
      JSON.parse(inOne.replaceAll('#/components/schemas/', '#/$defs/')) as Parameters<
        typeof z.fromJSONSchema
      >[0],
    );
    validators.set(schema, validator);
  }
  return validator;
}

/** What there is of a client's events; that a hold has ended by itself is not seen in it. */
async function factsOf({ event_id: ids = [] }: Known): Promise<string> {
  const { rows } = await sql<{ facts: string }>`
    select json_agg(json_build_array(e.id, e.name, e.revision, i.capacity, i.epoch,
      i.sales_open_at, i.sales_close_at, i.max_per_booking, i.max_per_customer, e.honours_late_payment,
      (select json_agg(json_build_array(b.id, b.epoch, b.quantity, b.state, b.expires_at) order by b.id)
       from bookings b where b.event_id = e.id)) order by e.id)::text as facts
    from events e join inventory i on i.event_id = e.id
    where e.id = any(${ids}::integer[])`.execute(db);
  return rows[0]?.facts ?? '';
}

function remember(known: Known, response: Response, shown: Shown): void {
  const add = (name: string, value: string) => {
    // The latest: what is remembered for ever is cancelled long ago.
    known[name] = [...(known[name] ?? []), value].slice(-8);
  };
  if (shown.bookingId !== undefined) {
    add('booking_id', shown.bookingId);
    add('after', shown.bookingId);
    add('request_id', response.headers.get('x-request-id') ?? '');
  }
  if (response.status === 201 && shown.bookingId === undefined)
    known['event_id'] = [...(known['event_id'] ?? []).slice(-3), String(shown.id)];
}

/** The row of what an answer has told to be done. */
async function isInPostgres(shown: Shown, told: string, isRepeat: boolean): Promise<void> {
  const { bookingId, id = 0 } = shown;
  const stored = bookingId === undefined ? await storedEvent(id) : await storedBooking(bookingId, isRepeat);
  // What an answer leaves out is undefined in it; what is booked at once is told without a state.
  const leftOut = Object.fromEntries(Object.keys(stored).map((name) => [name, undefined]));
  const all = { ...leftOut, state: 'confirmed', ...shown };
  expect(all, `${told}\nand Postgres has something else`).toMatchObject(stored);
}

async function storedEvent(eventId: number): Promise<object> {
  const { id, name, capacity, available, ...terms } = await lookInto(db).event(eventId);
  return {
    id,
    name,
    capacity,
    available,
    honoursLatePayment: terms.honoursLatePayment || undefined,
    salesOpenAt: terms.salesOpenAt?.toISOString(),
    salesCloseAt: terms.salesCloseAt?.toISOString(),
    maxPerBooking: terms.maxPerBooking ?? undefined,
    maxPerCustomer: terms.maxPerCustomer ?? undefined,
  };
}

async function storedBooking(id: string, isRepeat: boolean): Promise<object> {
  const { state, expiresAt, ...stored } = await db
    .selectFrom('bookings')
    .select(['event_id as eventId', 'customer', 'quantity', 'strategy', 'fencing_token as fencingToken'])
    .select(['state', 'expires_at as expiresAt'])
    .where('id', '=', id)
    .executeTakeFirstOrThrow(() => new Error(`there is no row of the booking ${id}`));
  if (isRepeat) return stored;
  return { ...stored, state, ...(state === 'held' && { expiresAt: expiresAt?.toISOString() }) };
}
