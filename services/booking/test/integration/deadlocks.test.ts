import { sql } from 'kysely';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';

import { STRATEGY_NAMES, type BookingView, type StrategyName } from '#src/contract.ts';
import { listEvents } from '#src/storage/events.ts';

import { openHouse, openTestContext, untilReady, type House } from '../support/house.ts';
import { startQuorum } from '../support/quorum.ts';
import { createTestApp } from '../support/test-app.ts';

/**
 * Whoever takes two locks takes them in the same order as everybody else. A circle would not be seen in the answers:
 * Postgres breaks it, and the victim is merely "busy". So Postgres is asked how many there were.
 */

const EVENTS = 100;
const AT_A_TIME = 3;
const BUYERS = 4;
const CAPACITY = 3;
const INSTANCES = ['circle-1', 'circle-2'];

const opened = new AsyncDisposableStack();
let house: House;
let quorumUrls: string;

beforeAll(async () => {
  house = opened.use(await openHouse(inject('postgresUrl')));
  quorumUrls = opened.use(await startQuorum()).urls;
});

afterAll(() => opened.disposeAsync());

test.each(STRATEGY_NAMES)(
  '%s: many events, buyers, changes, cancellations and resets at once',
  async (name) => {
    const events = await Promise.all(Array.from({ length: EVENTS }, () => house.newEvent(CAPACITY)));
    const before = await deadlocks();
    const booked = await rush(name, events);
    await untilGone();
    expect(await deadlocks()).toBe(before);

    expect(booked).toBeGreaterThan(EVENTS);
    if (name === 'no-lock') return;
    const first = Math.min(...events);
    for (const event of await listEvents(house.db, { after: first - 1, limit: EVENTS }, 'rows')) {
      const { capacity, available, booked, oversold } = event;
      expect({ id: event.id, sum: booked + available, oversold }).toEqual({
        id: event.id,
        sum: capacity,
        oversold: 0,
      });
    }
  },
);

/** Two replicas' worth of everything at once. Their connections are closed at the end. */
async function rush(name: StrategyName, events: number[]): Promise<number> {
  await using replicas = new AsyncDisposableStack();
  const apps = await Promise.all(
    INSTANCES.map(async (instanceId) => {
      const context = replicas.use(
        openTestContext({
          DATABASE_URL: house.databaseUrl,
          REDIS_URL: inject('redisUrl'),
          QUORUM_REDIS_URLS: quorumUrls,
          INSTANCE_ID: instanceId,
        }),
      );
      await untilReady(context);
      return createTestApp(context, { instanceId, raceWindowMs: 1 });
    }),
  );
  let booked = 0;

  async function send(i: number, method: string, path: string, body?: object): Promise<Response> {
    const response = await apps[i % apps.length]!.request(path, {
      method,
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    expect(response.status).toBeOneOf([200, 201, 404, 409, 503]);
    return response;
  }

  /** Told "busy", they come back a few times: what reads early and writes late meets a change every time. */
  async function buy(i: number, eventId: number): Promise<void> {
    let response = await send(i, 'POST', `/book/${name}/${eventId}`);
    for (let again = 0; response.status === 503 && again < 5; again += 1) {
      response = await send(i, 'POST', `/book/${name}/${eventId}`);
    }
    if (response.status !== 201) return;
    booked += 1;
    const { bookingId } = (await response.json()) as BookingView;
    if (i % 2 === 0) await send(i + 1, 'DELETE', `/bookings/${bookingId}`);
  }

  async function sellAndChange(eventId: number, i: number): Promise<void> {
    const changes = [CAPACITY + 1, CAPACITY + 2].map((capacity, n) =>
      send(n, 'PATCH', `/events/${eventId}`, { capacity, name: 'Larger' }),
    );
    const buyers = Array.from({ length: BUYERS }, (_, n) => buy(n, eventId));
    const reset = i % 4 === 0 ? [send(i, 'POST', `/reset/${eventId}`)] : [];
    await Promise.all([...changes, ...buyers, ...reset]);
  }

  // All of an event at once and a few events at a time: more would stand in line for a connection, one kind of
  // request after the other, and meet nobody.
  await Promise.all(
    Array.from({ length: AT_A_TIME }, async (_, first) => {
      for (let i = first; i < events.length; i += AT_A_TIME) await sellAndChange(events[i]!, i);
    }),
  );
  return booked;
}

/** A server process adds what it has counted to the statistics when it ends, at the latest. */
async function untilGone(): Promise<void> {
  await expect
    .poll(
      async () => {
        const { rows } = await sql`
          select from pg_stat_activity where application_name = any(${INSTANCES})`.execute(house.db);
        return rows.length;
      },
      { interval: 10 },
    )
    .toBe(0);
}

async function deadlocks(): Promise<number> {
  const { rows } = await sql<{ deadlocks: number }>`
    select deadlocks from pg_stat_database where datname = current_database()`.execute(house.db);
  return rows[0]?.deadlocks ?? Number.NaN;
}
