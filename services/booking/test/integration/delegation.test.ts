import { startFaultProxy } from '@lastseat/infra/servers';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';

import { book } from '#src/booking/book.ts';
import type { BookingView } from '#src/contract.ts';

import { openHouse, openTestContext, strategyOf, untilReady, type House } from '../support/house.ts';
import { startReplica, type Answer, type Replica } from '../support/replica.ts';
import { bookingRequest } from '../support/requests.ts';

/** Replicas that book for one another, as processes of their own: killed, stopped, sent away and cut off. */

let house: House;

beforeAll(async () => {
  house = await openHouse(inject('postgresUrl'));
});

afterAll(() => house[Symbol.asyncDispose]());

function start(instanceId: string): Promise<Replica> {
  return startReplica(instanceId, { DATABASE_URL: house.databaseUrl, REDIS_URL: inject('redisUrl') });
}

const pathOf = (eventId: number) => `/events/${eventId}/bookings`;

function bookMany(replica: Replica, eventId: number, count: number): Promise<Answer[]> {
  return Promise.all(Array.from({ length: count }, () => replica.book(pathOf(eventId))));
}

const statusesOf = (answers: Answer[]) => [...new Set(answers.map(({ status }) => status))];

/** Each 201 has its one row, under the replica that answered it, and there are no others. */
async function expectOneRowEach(eventId: number, answers: Answer[]): Promise<void> {
  const views = answers.flatMap(({ status, body }) => (status === 201 ? [body as BookingView] : []));
  const { rows } = await house.rowsByInstance(eventId);
  expect(rows.toSorted()).toEqual(views.map((view) => `${view.bookingId} ${view.instanceId}`).toSorted());
  const { capacity, available } = await house.event(eventId);
  expect(capacity - available).toBe(views.length);
}

test('the replica that holds the lock books for the other one, in the same transaction', async () => {
  await using holder = await start('holder');
  await using other = await start('other');
  const eventId = await house.newEvent(1_000);
  const first = await holder.book(pathOf(eventId));
  const answers = [first];
  for (let round = 0; round < 10; round += 1) {
    answers.push(
      ...(await Promise.all([holder, other].map((replica) => bookMany(replica, eventId, 20)))).flat(),
    );
  }
  expect(statusesOf(answers)).toEqual([201]);
  expect(new Set(answers.map(({ instanceId }) => instanceId))).toEqual(new Set(['holder', 'other']));
  await expectOneRowEach(eventId, answers);
  // One token is one transaction of one holder.
  const { instancesByToken } = await house.rowsByInstance(eventId);
  expect(instancesByToken.some((instances) => instances.size === 2)).toBe(true);
});

test('a holder that is killed takes nothing with it: the other one books by itself', async () => {
  await using holder = await start('holder');
  await using other = await start('other');
  const eventId = await house.newEvent(1_000);
  await holder.book(pathOf(eventId));
  expect((await other.book(pathOf(eventId))).status).toBe(201);
  holder.kill('SIGKILL');
  await holder.exited;
  const answers = await bookMany(other, eventId, 30);
  expect(statusesOf(answers)).toEqual([201]);
  expect((await house.event(eventId)).booked).toBe(32);
});

test('a holder that is stopped in mid-batch books nothing twice when it goes on', async () => {
  await using holder = await start('holder');
  await using other = await start('other');
  const eventId = await house.newEvent(1_000);
  const first = await holder.book(pathOf(eventId));
  const second = await other.book(pathOf(eventId));
  // The holder is held open between its read and its write, and then it is stopped: with all that it was asked for.
  const slow = holder.book(pathOf(eventId), { raceWindowMs: 300 });
  await new Promise((resolve) => void setTimeout(resolve, 100));
  const asked = bookMany(other, eventId, 20);
  await new Promise((resolve) => void setTimeout(resolve, 50));
  holder.kill('SIGSTOP');
  const answers = await asked;
  expect(statusesOf(answers)).toEqual([201]);
  holder.kill('SIGCONT');
  await expectOneRowEach(eventId, [first, second, ...answers, await slow]);
});

test('a holder that is sent away hands over: no request is lost and none fails', async () => {
  await using holder = await start('holder');
  await using other = await start('other');
  const eventId = await house.newEvent(1_000);
  const answers = [await holder.book(pathOf(eventId)), await other.book(pathOf(eventId))];
  const selling = (async () => {
    for (let round = 0; round < 30; round += 1) answers.push(...(await bookMany(other, eventId, 10)));
  })();
  await new Promise((resolve) => void setTimeout(resolve, 50));
  holder.kill('SIGTERM');
  expect(await holder.exited).toBe(0);
  await selling;
  expect(statusesOf(answers)).toEqual([201]);
  await expectOneRowEach(eventId, answers);
});

test('an answer of the holder that is lost is found in the database', async () => {
  const redisUrl = inject('redisUrl');
  await using proxy = await startFaultProxy(Number(new URL(redisUrl).port));
  const DATABASE_URL = house.databaseUrl;
  await using holder = openTestContext({
    DATABASE_URL,
    REDIS_URL: proxy.through(redisUrl),
    INSTANCE_ID: 'holder',
  });
  await using other = openTestContext({ DATABASE_URL, REDIS_URL: redisUrl, INSTANCE_ID: 'other' });
  await Promise.all([untilReady(holder), untilReady(other)]);
  const eventId = await house.newEvent(10);
  await book(strategyOf(holder, 'batched-lock'), bookingRequest(eventId));
  const delegated = bookingRequest(eventId);

  let cuts = 0;
  proxy.dropReplies(1, {
    matching(sent) {
      if (cuts === 0 && sent.includes('answer/1')) {
        cuts += 1;
        proxy.cut();
      }
      return false;
    },
  });
  const outcome = await book(strategyOf(other, 'batched-lock'), delegated);
  expect(cuts, 'the answer was on its way').toBe(1);
  expect(outcome).toMatchObject({ code: 'booked' });
  const rows = await house.rowsOf(eventId);
  expect(rows).toHaveLength(2);
  // Under the token that the holder booked it with.
  expect(rows.find(({ id }) => id === delegated.bookingId)?.fencing_token).toBe(
    outcome.code === 'booked' && outcome.fencingToken,
  );
});

test('an event that is sold out through the holder is refused by the other one from memory', async () => {
  await using holder = await start('holder');
  await using other = await start('other');
  const eventId = await house.newEvent(2);
  const answers = [await holder.book(pathOf(eventId)), await other.book(pathOf(eventId))];
  const refused = await bookMany(other, eventId, 20);
  expect(statusesOf(refused)).toEqual([409]);
  await expectOneRowEach(eventId, [...answers, ...refused]);
});
