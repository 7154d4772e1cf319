import { createHash, timingSafeEqual } from 'node:crypto';

import type { Context, Hono } from 'hono';
import { z } from 'zod';

import { tellStockChanged } from '#src/booking/registry.ts';
import { MAX_CAPACITY } from '#src/contract.ts';
import { createEvent, findEvent, listEvents, lockAndChangeEvent } from '#src/storage/events.ts';
import { autocommit, transact } from '#src/storage/transaction.ts';

import type { RouteDeps } from './app.ts';
import { guardAgainstOutage } from './outage.ts';
import { ProblemError } from './problem.ts';
import {
  type Env,
  plainText,
  readEventId,
  readJson,
  readOptionalWholeNumber,
  wholeNumber,
} from './read-input.ts';

/** Each event in a list costs a sum over its bookings. */
const MAX_LISTED = 1_000;
const DEFAULT_LISTED = 100;

const eventBody = z.strictObject({ name: plainText(200), capacity: wholeNumber(0, MAX_CAPACITY) });

const changeBody = eventBody
  .partial()
  .refine(
    ({ name, capacity }) => name !== undefined || capacity !== undefined,
    'give a name, a capacity or both',
  );

export function addEventRoutes(app: Hono<Env>, deps: RouteDeps): void {
  const { answers, db, strategies } = deps;

  app.get('/events', async (c) => {
    const after = readOptionalWholeNumber('after', c.req.query('after'), 0, 2_147_483_647) ?? 0;
    const limit = readOptionalWholeNumber('limit', c.req.query('limit'), 1, MAX_LISTED) ?? DEFAULT_LISTED;
    const events = await guardAgainstOutage(() => listEvents(db, { after, limit }));
    const last = events.at(-1);
    if (last === undefined || events.length < limit) return answers.json(200, events);
    return answers.json(200, events, { link: `</events?after=${last.id}&limit=${limit}>; rel="next"` });
  });

  app.get('/events/:event_id', async (c) => {
    const id = readEventId(c.req.param('event_id'));
    const event = await guardAgainstOutage(() => findEvent(db, id));
    if (event === undefined) throw eventNotFound(id);
    return answers.json(200, event);
  });

  app.post('/events', async (c) => {
    assertMayChange(c);
    const body = await readJson(c, eventBody);
    const event = await guardAgainstOutage(
      () => autocommit(db, (db) => createEvent(db, body)),
      'GET /events lists the event if it was created',
    );
    return answers.json(201, event, { location: `/events/${event.id}` });
  });

  app.patch('/events/:event_id', async (c) => {
    assertMayChange(c);
    const id = readEventId(c.req.param('event_id'));
    const body = await readJson(c, changeBody);
    const change = await guardAgainstOutage(
      () =>
        transact(db, (trx) => lockAndChangeEvent(trx, id, body)).finally(() => {
          tellStockChanged(strategies, id);
        }),
      `GET /events/${id} tells whether it was changed`,
    );
    if (change === undefined) throw eventNotFound(id);
    if (change.code === 'below_booked') {
      const detail = `${change.booked} tickets of event ${id} are booked; its capacity cannot be smaller.`;
      throw new ProblemError({ code: 'below_booked', detail });
    }
    return answers.json(200, change.event);
  });

  /** Outside the lab, changes need the token of the operator; without a token configured they are closed. */
  function assertMayChange(c: Context<Env>): void {
    const { adminToken, labMode } = deps;
    if (labMode) return;
    if (adminToken === undefined) {
      const detail = 'Changes of events are closed. Start the service with ADMIN_TOKEN, or with LAB_MODE=on.';
      throw new ProblemError({ code: 'not_found', detail });
    }
    const [, token] = /^Bearer +(\S+)$/i.exec(c.req.header('authorization') ?? '') ?? [];
    if (token !== undefined && isSame(token, adminToken)) return;
    throw new ProblemError({
      code: 'unauthorized',
      detail: 'Changes of events need the header Authorization: Bearer ADMIN_TOKEN.',
      headers: { 'www-authenticate': 'Bearer' },
    });
  }
}

export function eventNotFound(id: number): ProblemError {
  return new ProblemError({ code: 'event_not_found', detail: `There is no event ${id}.` });
}

/** Takes the same time whatever the difference. Hashed first, because only equal lengths can be compared like that. */
function isSame(a: string, b: string): boolean {
  return timingSafeEqual(sha256(a), sha256(b));
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
