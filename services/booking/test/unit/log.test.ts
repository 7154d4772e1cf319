import { setTimeout as sleep } from 'node:timers/promises';

import { LockTimeoutError } from '@lastseat/locking';
import { expect, test } from 'vitest';

import type { BookingRequest, Outcome } from '#src/booking/strategy.ts';
import { listen } from '#src/http/server.ts';
import { CommitUnknownError, PostgresBusyError, PostgresUnavailableError } from '#src/storage/failure.ts';
import type { Db } from '#src/storage/schema.ts';

import { createFakeApp } from '../support/fake-app.ts';

const requestId = '0123456789abcdef0123456789abcdef';
const init = { method: 'POST', headers: { 'x-request-id': requestId } };

const away = new PostgresUnavailableError('connect', { cause: new Error('ECONNREFUSED') });
const lost = new CommitUnknownError('lost', { cause: away });
const locked = new LockTimeoutError({ lock: 'event:1', waitMs: 5 });
const bug = new TypeError('a bug');

const raise = (error: unknown) => async (): Promise<never> => {
  throw error;
};

test.each<[string, Outcome | (() => Promise<Outcome>), number, string, unknown]>([
  ['a bug', raise(bug), 500, 'error', bug],
  ['a Postgres that is away', raise(away), 503, 'warn', away],
  [
    'a Postgres that is busy',
    raise(new PostgresBusyError('busy')),
    503,
    'warn',
    expect.any(PostgresBusyError),
  ],
  ['a lock that was not obtained', raise(locked), 503, 'warn', locked],
  ['a commit without an answer', { code: 'unknown', cause: lost }, 504, 'warn', lost],
  ['a commit of which nobody knows why', { code: 'unknown' }, 504, 'warn', undefined],
  ['a crowd that is too large', { code: 'busy', detail: 'Too many.' }, 503, 'info', undefined],
])('%s has one line with all that one needs', async (_, outcome, status, level, cause) => {
  const { app, lines } = createFakeApp({ outcome });
  const response = await app.request('/book/fenced-lock/17', init);
  const problem = (await response.json()) as { code: string; detail: string };
  expect(response.status).toBe(status);
  expect(lines).toEqual([
    {
      level,
      requestId,
      method: 'POST',
      route: '/book/:strategy/:event_id',
      path: '/book/fenced-lock/17',
      status,
      code: problem.code,
      msg: problem.detail,
      ...(status === 504 ? { bookingId: expect.any(String) } : {}),
      ...(cause === undefined ? {} : { err: cause }),
    },
  ]);
  expect(JSON.stringify(problem), 'the cause is nobody else’s business').not.toContain('cause');
});

test('a route that asks Postgres itself says why it could not', async () => {
  const reads = new Proxy({} as Db, {
    get() {
      throw away;
    },
  });
  const { app, lines } = createFakeApp({ reads });
  for (const path of ['/events', '/events/1', '/bookings/01a20a1f-adc1-79b2-9e70-52c6edbaeb9d']) {
    expect((await app.request(path)).status).toBe(503);
  }
  expect(lines).toMatchObject([
    { level: 'warn', route: '/events', err: away },
    { level: 'warn', route: '/events/:event_id', err: away },
    { level: 'warn', route: '/bookings/:booking_id', err: away },
  ]);
});

test('an instance that is not ready says what is away; one that stops is no warning', async () => {
  const causes = [new Error('ECONNREFUSED'), new Error('no answer within 1500 ms')];
  for (const [failed, line] of [
    [causes.map((cause) => ({ what: 'gone', cause })), { level: 'warn', err: { errors: causes } }],
    [[{ what: 'stopping' }], { level: 'info', code: 'not_ready' }],
  ] as const) {
    const { app, lines } = createFakeApp({ failedChecks: async () => [...failed] });
    expect((await app.request('/readyz')).status).toBe(503);
    expect(lines).toMatchObject([line]);
  }
});

test.each([
  ['POST', '/book-with-lock/1', { code: 'sold_out' }, 409],
  ['POST', '/book-with-lock/1', { code: 'event_not_found' }, 404],
  ['POST', '/book-with-lock/abc', { code: 'sold_out' }, 400],
  ['POST', '/book/hope/1', { code: 'sold_out' }, 404],
  ['GET', '/nothing', { code: 'sold_out' }, 404],
  ['PUT', '/events/1', { code: 'sold_out' }, 405],
] as const)('%s %s, refused as %j, leaves no line', async (method, path, outcome, status) => {
  const { app, lines } = createFakeApp({ outcome });
  expect((await app.request(path, { method })).status).toBe(status);
  expect(lines).toEqual([]);
});

test('a bug is seen although its client has gone', async () => {
  const client = new AbortController();
  const { app, lines } = createFakeApp({
    outcome: async () => {
      client.abort();
      throw bug;
    },
  });
  await app.fetch(new Request('http://localhost/book-with-lock/1', { ...init, signal: client.signal }));
  expect(lines).toMatchObject([{ level: 'error', err: bug, requestId }]);
});

test.each([
  ['a wait of Node', async ({ signal }: BookingRequest) => sleep(10_000, undefined, { signal })],
  [
    'a wait of the lock',
    async ({ signal }: BookingRequest) =>
      new Promise<never>((_, reject) => {
        // Whatever it is, it is the caller's.
        signal.addEventListener('abort', () => reject(signal.reason as Error));
      }),
  ],
])('%s that ends because its client has gone is no bug', async (_, wait) => {
  const client = new AbortController();
  const { app, lines } = createFakeApp({
    outcome: async (request) => {
      setImmediate(() => client.abort());
      await wait(request);
      return { code: 'sold_out' };
    },
  });
  await app.fetch(new Request('http://localhost/book-with-lock/1', { ...init, signal: client.signal }));
  expect(lines).toMatchObject([{ level: 'info', code: 'busy' }]);
});

test('what is thrown and is no error is a bug too, not a bad request', async () => {
  const { app, lines } = createFakeApp({ outcome: raise('a string') });
  const log = { error: (line: object) => void lines.push({ level: 'error', ...line }), warn() {}, info() {} };
  const server = await listen(app, { host: '127.0.0.1', port: 0, instanceId: 'unit-1', log });
  const response = await fetch(`http://127.0.0.1:${server.port}/book-with-lock/1`, { method: 'POST' });
  const given = response.headers.get('x-request-id');
  await server.drain({ delayMs: 0, graceMs: 1_000 });
  expect(response.status).toBe(500);
  expect(lines).toMatchObject([{ level: 'error', err: 'a string', requestId: given }]);
});
