import { randomUUID } from 'node:crypto';

import { startFaultProxy } from '@lastseat/infra/servers';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';

import { STRATEGY_NAMES, type BookingView, type Problem } from '#src/contract.ts';

import { openHouse, type House } from '../support/house.ts';
import { startReplica, type Replica } from '../support/replica.ts';

/** A request whose answer is lost, looked up by an id that existed before it was sent. */

const opened = new AsyncDisposableStack();
let house: House;
let env: { DATABASE_URL: string; REDIS_URL: string };
let witness: Replica;

beforeAll(async () => {
  house = opened.use(await openHouse(inject('postgresUrl')));
  env = { DATABASE_URL: house.databaseUrl, REDIS_URL: inject('redisUrl') };
  witness = opened.use(await startReplica('witness', env));
});

afterAll(() => opened.disposeAsync());

/** As nginx writes it. */
const newRequestId = () => randomUUID().replaceAll('-', '');

async function lookUp(requestId: string) {
  const response = await fetch(`${witness.url}/requests/${requestId}`);
  return { status: response.status, body: (await response.json()) as BookingView | Problem };
}

function post(replica: Replica, path: string, requestId: string, body: object) {
  return fetch(`${replica.url}${path}`, {
    method: 'POST',
    headers: { 'x-request-id': requestId, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
}

test('a request is found by its id, however it is written; one that nobody sent may still appear', async () => {
  const eventId = await house.newEvent(5);
  const requestId = newRequestId();
  expect(await lookUp(requestId)).toMatchObject({
    status: 404,
    body: { code: 'booking_not_found', detail: expect.stringMatching(/less than \d+ s ago/) },
  });
  const answer = await post(witness, `/book/row-lock/${eventId}`, requestId, {
    customer: 'ada',
    quantity: 2,
  });
  const booking = (await answer.json()) as BookingView;
  const asUuid = requestId.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  for (const id of [requestId, asUuid, requestId.toUpperCase()])
    expect(await lookUp(id)).toEqual({ status: 200, body: { ...booking, state: 'confirmed' } });
  expect((await lookUp('none')).status).toBe(404);
});

describe.each(STRATEGY_NAMES.filter((name) => name !== 'quorum-lock'))('%s', (name) => {
  test('a replica that dies with the answer leaves a booking that its request finds', async () => {
    await using proxy = await startFaultProxy(Number(new URL(house.databaseUrl).port));
    const through = { ...env, DATABASE_URL: proxy.through(house.databaseUrl) };
    await using dying = await startReplica(`dying-${name}`, through);
    const eventId = await house.newEvent(5);
    const requestId = newRequestId();
    const { done } = proxy.dropReplies(1, {
      // What makes a booking final: COMMIT, or a statement that commits by itself.
      matching: (sent) => sent.includes('commit\0') || sent.includes('taken as ('),
      afterwards: 'silence',
    });
    const answer = post(dying, `/book/${name}/${eventId}`, requestId, { quantity: 3 }).catch(() => 'lost');
    await done;
    dying.kill('SIGKILL');
    expect(await answer).toBe('lost');
    expect(await lookUp(requestId)).toMatchObject({
      status: 200,
      body: { eventId, quantity: 3, strategy: name },
    });
  });
});
