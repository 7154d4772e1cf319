import { createRoute, z } from '@hono/zod-openapi';

import { MAX_EVENT_ID, wholeNumberText } from '#src/contract-fields.ts';
import { eventBody, eventChangeBody, eventParams, eventView } from '#src/contract.ts';
import {
  closesBeforeItOpens,
  type CountedBy,
  createEvent,
  findEvent,
  listEvents,
  lockAndChangeEvent,
  type Page,
} from '#src/storage/events.ts';
import type { PooledDb } from '#src/storage/pool.ts';
import type { Db } from '#src/storage/schema.ts';
import { shareReads } from '#src/storage/share-reads.ts';
import { autocommit, transact } from '#src/storage/transaction.ts';
import { REQUEST_DEADLINE_MS } from '#src/time-limits.ts';

import type { Access } from './access.ts';
import type { Answers } from './answer.ts';
import { eventTag, hasClientAlready, ifMatch, ifNoneMatch, readIfMatch } from './conditional.ts';
import { eventViewOf } from './event-view.ts';
import { guardAgainstOutage } from './outage.ts';
import { DEFAULT_LISTED, linkToNext, pageLimit, pageOf } from './paging.ts';
import { eventNotFound, FOR_OPERATORS, IN_BODY, invalidInput, ProblemError, problems } from './problem.ts';
import { createRouter } from './router.ts';

const shown = { description: 'The event.', content: { 'application/json': { schema: eventView } } };

const listAll = createRoute({
  operationId: 'listEvents',
  tags: ['events'],
  method: 'get',
  path: '/events',
  summary: 'List the events by their ids',
  request: {
    query: z.object({
      after: wholeNumberText(0, MAX_EVENT_ID).optional(),
      limit: pageLimit(),
    }),
  },
  responses: {
    200: pageOf(eventView),
    ...problems('busy', 'no_answer'),
  },
});

const lookUp = createRoute({
  operationId: 'lookUpEvent',
  tags: ['events'],
  method: 'get',
  path: '/events/{event_id}',
  summary: 'Look at an event',
  request: { params: eventParams },
  parameters: [ifNoneMatch],
  responses: {
    200: shown,
    304: { description: 'As the client has it.' },
    ...problems('event_not_found', 'busy', 'no_answer'),
  },
});

const create = createRoute({
  operationId: 'createEvent',
  security: [{ operator: [] }],
  tags: ['events'],
  method: 'post',
  path: '/events',
  summary: 'Create an event',
  request: { body: { content: { 'application/json': { schema: eventBody } }, required: true } },
  responses: { 201: shown, ...problems(...IN_BODY, ...FOR_OPERATORS, 'busy', 'unknown') },
});

const change = createRoute({
  operationId: 'changeEvent',
  security: [{ operator: [] }],
  tags: ['events'],
  method: 'patch',
  path: '/events/{event_id}',
  summary: 'Change an event: what is left out stays as it is',
  parameters: [ifMatch],
  request: {
    params: eventParams,
    body: { content: { 'application/json': { schema: eventChangeBody } }, required: true },
  },
  responses: {
    200: shown,
    ...problems(
      ...IN_BODY,
      ...FOR_OPERATORS,
      'event_not_found',
      'below_booked',
      'changed_meanwhile',
      'busy',
      'unknown',
    ),
  },
});

const CLOSES_BEFORE_IT_OPENS = invalidInput([{ field: 'salesCloseAt', detail: 'must be after salesOpenAt' }]);

export interface EventDeps {
  answers: Answers;
  db: PooledDb;
  reads: Db;
  access: Access;
  labMode: boolean;
}

export function eventRoutes(deps: EventDeps) {
  const { access, answers, db, labMode, reads } = deps;

  // The lab is there to show what the rows say; elsewhere nobody oversells, and a look costs the same whatever was sold.
  const countedBy: CountedBy = labMode ? 'rows' : 'counter';
  const lookAt = shareReads((id: number) => findEvent(reads, id, countedBy));
  const lookAtPage = shareReads(
    (page: Page) => listEvents(reads, page, countedBy),
    ({ after, limit }) => `${after} ${limit}`,
  );

  return createRouter()
    .openapi(listAll, async (c) => {
      const { after = 0, limit = DEFAULT_LISTED } = c.req.valid('query');
      const events = await guardAgainstOutage(() => lookAtPage({ after, limit }));
      const views = events.map(eventViewOf);
      return answers.json(
        c,
        200,
        views,
        linkToNext('/events', { after, limit }, views, ({ id }) => id),
      );
    })
    .openapi(lookUp, async (c) => {
      const { event_id: id } = c.req.valid('param');
      const event = await guardAgainstOutage(() => lookAt(id));
      if (event === undefined) throw eventNotFound(id);
      const etag = eventTag(event);
      if (hasClientAlready(c, etag)) return answers.unchanged(c, etag);
      return answers.json(c, 200, eventViewOf(event), { etag });
    })
    .openapi({ ...create, middleware: access.require('events:write') }, async (c) => {
      const body = c.req.valid('json');
      if (closesBeforeItOpens(body)) throw CLOSES_BEFORE_IT_OPENS;
      const event = await guardAgainstOutage(
        () => autocommit(db, (db) => createEvent(db, body)),
        'GET /events lists the event if it was created',
      );
      const headers = { location: `/events/${event.id}`, etag: eventTag(event) };
      return answers.json(c, 201, eventViewOf(event), headers);
    })
    .openapi({ ...change, middleware: access.require('events:write') }, async (c) => {
      const { event_id: id } = c.req.valid('param');
      const body = c.req.valid('json');
      const isExpected = readIfMatch(c);
      const untilDeadline = db.until(c.get('arrivedAtMs') + REQUEST_DEADLINE_MS);
      const change = await guardAgainstOutage(
        () => transact(untilDeadline, (trx) => lockAndChangeEvent(trx, id, body, isExpected)),
        `GET /events/${id} tells whether it was changed`,
      );
      if (change === undefined) throw eventNotFound(id);
      if (change.code === 'below_booked') {
        const detail = `${change.booked} tickets of event ${id} are booked or held; its capacity cannot be smaller.`;
        throw new ProblemError({ code: 'below_booked', detail });
      }
      if (change.code === 'closes_before_it_opens') throw CLOSES_BEFORE_IT_OPENS;
      const etag = eventTag(change.event);
      if (change.code === 'other_revision') {
        const detail = `Event ${id} was changed since: its ETag is now ${etag}.`;
        throw new ProblemError({ code: 'changed_meanwhile', detail, headers: { etag } });
      }
      return answers.json(c, 200, eventViewOf(change.event), { etag });
    });
}
