import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';

import { nginxes, startNginx, type Nginx } from '../../../../infra/test/support/nginx.ts';
import { openHouse, type House } from '../support/house.ts';
import { startReplica } from '../support/replica.ts';
import { startTraceReceiver, type SpanSeen, type TraceReceiver } from '../support/trace-receiver.ts';

/** Traces, as a collector gets them: from nginx through the replica to the commit in Postgres. */

const opened = new AsyncDisposableStack();
let house: House;
let env: { DATABASE_URL: string; REDIS_URL: string };

beforeAll(async () => {
  house = opened.use(await openHouse(inject('postgresUrl')));
  env = { DATABASE_URL: house.databaseUrl, REDIS_URL: inject('redisUrl') };
});

afterAll(() => opened.disposeAsync());

describe.each(nginxes.slice(0, 1))('behind $name', (kind) => {
  const opened = new AsyncDisposableStack();
  let receiver: TraceReceiver;
  let nginx: Nginx;

  beforeAll(async () => {
    receiver = opened.use(await startTraceReceiver());
    const tracing = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_BSP_SCHEDULE_DELAY: '50' };
    const replica = opened.use(await startReplica('traced', { ...env, ...tracing }));
    nginx = opened.use(await startNginx(kind, [Number(new URL(replica.url).port)]));
  });
  afterAll(() => opened.disposeAsync());

  /** @returns the id of its request, which is that of its trace */
  async function book(path: string, headers: Record<string, string> = {}): Promise<string> {
    const response = await fetch(`${nginx.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ customer: 'ada lovelace' }),
    });
    await response.text();
    expect(response.status).toBe(201);
    return response.headers.get('x-request-id') ?? '';
  }

  /** From a span up to the one below nginx. */
  function pathTo(span: SpanSeen): SpanSeen[] {
    const parent = receiver.spans.find(({ spanId }) => spanId === span.parentSpanId);
    return parent === undefined ? [span] : [...pathTo(parent), span];
  }

  const spansOf = (id: string) => receiver.spans.filter(({ traceId }) => traceId === id);

  test('one booking is one trace: nginx, the route, the lock, Redis, the statements, COMMIT', async () => {
    const traceId = await book(`/book/fenced-lock/${await house.newEvent(1)}`);
    await expect
      .poll(() => spansOf(traceId).map(({ name }) => name))
      .toContain('POST /book/{strategy}/{event_id}');
    const spans = spansOf(traceId);
    const names = ['wait for queue lock', 'UPDATE inventory', 'INSERT bookings', 'COMMIT'];
    expect(spans.map(({ name }) => name)).toEqual(expect.arrayContaining(names));
    expect(spans.map(({ name }) => name)).toContainEqual(expect.stringMatching(/^EVAL/));
    const commit = spans.find(({ name }) => name === 'COMMIT')!;
    const path = pathTo(commit);
    expect(path.map(({ name }) => name)).toEqual(['POST /book/{strategy}/{event_id}', 'COMMIT']);
    // The span of nginx, which tells nobody of it itself.
    expect(path[0]?.parentSpanId).toBe(traceId.slice(0, 16));
  });

  test('the statement of a batch is found from each of its bookings', async () => {
    const eventId = await house.newEvent(20);
    const ids = await Promise.all(
      Array.from({ length: 20 }, () =>
        book(`/events/${eventId}/bookings`, { 'idempotency-key': crypto.randomUUID() }),
      ),
    );
    const roots = () =>
      ids.flatMap((id) => spansOf(id).filter(({ parentSpanId }) => parentSpanId === id.slice(0, 16)));
    await expect.poll(() => roots().length).toBe(20);
    await expect
      .poll(() => {
        const batches = new Set(
          receiver.spans.filter(({ name }) => name === 'batch').map(({ spanId }) => spanId),
        );
        return roots().filter(({ traceId, spanId, links = [] }) => {
          const own = spansOf(traceId).filter(
            (span) => batches.has(span.spanId) && span.parentSpanId === spanId,
          );
          return own.length > 0 || links.some((link) => batches.has(link.spanId));
        }).length;
      })
      .toBe(20);
    const inserts = receiver.spans.filter(({ name }) => name === 'INSERT bookings');
    expect(inserts.map((span) => pathTo(span).at(-2)?.name)).toContain('batch');
  });

  test('a trace that has begun before nginx goes on', async () => {
    const traceId = 'abcdef0123456789abcdef0123456789';
    const traceparent = `00-${traceId}-0123456789abcdef-01`;
    await book(`/events/${await house.newEvent(1)}/bookings`, { traceparent });
    await expect
      .poll(() => spansOf(traceId).map(({ name }) => name))
      .toContain('POST /events/{event_id}/bookings');
    expect(spansOf(traceId).map(({ parentSpanId }) => parentSpanId)).toContain('0123456789abcdef');
  });

  test('no name and no secret is in any of it', async () => {
    const key = `key-${crypto.randomUUID()}`;
    const id = await book(`/events/${await house.newEvent(1)}/bookings`, { 'idempotency-key': key });
    await expect
      .poll(() => spansOf(id).map(({ name }) => name))
      .toContain('POST /events/{event_id}/bookings');
    const sent = receiver.sent.join('');
    for (const secret of ['lovelace', key, new URL(house.databaseUrl).password]) {
      if (secret !== '') expect(sent).not.toContain(secret);
    }
  });
});

test('where nobody asks for traces nothing of it is loaded', async () => {
  const variables = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9', OTEL_TRACES_EXPORTER: 'none' };
  const folder = mkdtempSync(join(tmpdir(), 'lastseat-loaded-'));
  try {
    // V8 writes down which files it has run.
    const replica = await startReplica('untraced', { ...env, ...variables, NODE_V8_COVERAGE: folder });
    replica.kill('SIGTERM');
    expect(await replica.exited).toBe(0);
    const loaded = readdirSync(folder)
      .map((name) => readFileSync(join(folder, name), 'utf8'))
      .join('');
    expect(loaded).toContain('/node_modules/pg/');
    expect(loaded).not.toContain('/node_modules/@opentelemetry/sdk-trace/');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
