import type { Hono } from 'hono';
import { z } from 'zod';

import { MAX_CAPACITY } from '#src/contract.ts';
import {
  type CountedBy,
  createEvent,
  findEvent,
  listEvents,
  lockAndChangeEvent,
  type Page,
} from '#src/storage/events.ts';
import { shareReads } from '#src/storage/share-reads.ts';
import { autocommit, transact } from '#src/storage/transaction.ts';
import { REQUEST_DEADLINE_MS } from '#src/time-limits.ts';

import type { RouteDeps } from './app.ts';
import { assertMayChange } from './may-change.ts';
import { guardAgainstOutage } from './outage.ts';
import { ProblemError } from './problem.ts';
import {
  type Env,
  plainText,
  readEventId,
  readJson,
  readOptionalWholeNumber,
  readQuery,
  wholeNumber,
} from './read-input.ts';

/** An answer of some 100 kB. In the lab each event in a list costs a sum over its bookings. */
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
  const { answers, db, labMode, reads } = deps;

  // The lab is there to show what the rows say; elsewhere nobody oversells, and a look costs the same whatever was sold.
  const countedBy: CountedBy = labMode ? 'rows' : 'counter';
  const lookAt = shareReads((id: number) => findEvent(reads, id, countedBy));
  const lookAtPage = shareReads(
    (page: Page) => listEvents(reads, page, countedBy),
    ({ after, limit }) => `${after} ${limit}`,
  );

  app.get('/events', async (c) => {
    const query = readQuery(c, 'after', 'limit');
    const after = readOptionalWholeNumber('after', query.after, 0, 2_147_483_647) ?? 0;
    const limit = readOptionalWholeNumber('limit', query.limit, 1, MAX_LISTED) ?? DEFAULT_LISTED;
    const events = await guardAgainstOutage(() => lookAtPage({ after, limit }));
    const last = events.at(-1);
    if (last === undefined || events.length < limit) return answers.json(c, 200, events);
    return answers.json(c, 200, events, { link: `</events?after=${last.id}&limit=${limit}>; rel="next"` });
  });

  app.get('/events/:event_id', async (c) => {
    readQuery(c);
    const id = readEventId(c.req.param('event_id'));
    const event = await guardAgainstOutage(() => lookAt(id));
    if (event === undefined) throw eventNotFound(id);
    return answers.json(c, 200, event);
  });

  app.post('/events', async (c) => {
    assertMayChange(c, deps);
    readQuery(c);
    const body = await readJson(c, eventBody);
    const event = await guardAgainstOutage(
      () => autocommit(db, (db) => createEvent(db, body)),
      'GET /events lists the event if it was created',
    );
    return answers.json(c, 201, event, { location: `/events/${event.id}` });
  });

  app.patch('/events/:event_id', async (c) => {
    assertMayChange(c, deps);
    readQuery(c);
    const id = readEventId(c.req.param('event_id'));
    const body = await readJson(c, changeBody);
    const untilDeadline = db.until(performance.now() + REQUEST_DEADLINE_MS);
    const change = await guardAgainstOutage(
      () => transact(untilDeadline, (trx) => lockAndChangeEvent(trx, id, body)),
      `GET /events/${id} tells whether it was changed`,
    );
    if (change === undefined) throw eventNotFound(id);
    if (change.code === 'below_booked') {
      const detail = `${change.booked} tickets of event ${id} are booked; its capacity cannot be smaller.`;
      throw new ProblemError({ code: 'below_booked', detail });
    }
    return answers.json(c, 200, change.event);
  });
}

export function eventNotFound(id: number): ProblemError {
  return new ProblemError({ code: 'event_not_found', detail: `There is no event ${id}.` });
}
