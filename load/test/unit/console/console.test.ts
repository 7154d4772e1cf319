import type { IncomingMessage } from 'node:http';

import type { ClusterPart } from '@lastseat/infra/cluster';
import { describe, expect, it } from 'vitest';

import type { Answer } from '#src/answer.ts';
import type { Attempt } from '#src/attempt.ts';
import { figuresOf, raceOf, type LiveSale } from '#src/console/live-sale.ts';
import { reasonToRefuse } from '#src/console/refuse-strangers.ts';
import { patientOracle } from '#src/patient-oracle.ts';
import { liveMarks } from '#src/race/live-marks.ts';
import { markIn } from '#src/race/logged-mark.ts';
import { raceLanes } from '#src/race/race-section.ts';
import { drawnBuyers, MOST_LANES, overlaps } from '#src/race/race.ts';
import { guardOf } from '#src/scenario.ts';

describe('a request is refused', () => {
  const own = { host: 'localhost:8090', 'content-type': 'application/json' };
  it.each<[string, string, IncomingMessage['headers'], boolean]>([
    ['not to see the page', 'GET', { host: '127.0.0.1:8090' }, false],
    ['not to act, from the page', 'POST', { ...own, origin: 'http://localhost:8090' }, false],
    ['not to act, from a terminal', 'POST', own, false],
    ['under a name of its own', 'GET', { host: 'evil.example:8090' }, true],
    ['at another port', 'GET', { host: '127.0.0.1:80' }, true],
    ['without a name', 'GET', {}, true],
    ['from another page', 'POST', { ...own, origin: 'http://evil.example' }, true],
    ['from a file', 'POST', { ...own, origin: 'null' }, true],
    ['from the same name at another port', 'POST', { ...own, origin: 'http://localhost:80' }, true],
    ['from a frame of another site', 'POST', { ...own, 'sec-fetch-site': 'cross-site' }, true],
    ['as a form sends it', 'POST', { ...own, 'content-type': 'text/plain' }, true],
    ['with nothing said of its content', 'POST', { host: own.host }, true],
  ])('%s: %s', (_why, method, headers, isRefused) => {
    expect(reasonToRefuse({ method, headers } as IncomingMessage, 8090) !== null).toBe(isRefused);
  });
});

describe('of a replica that was killed with the lock in its hands', () => {
  const replicas = ['booking-1', 'booking-2'].map((name) => replica(name));
  const say = new Map<string, (line: string) => void>();
  const marks = liveMarks({
    follow(name, onLine) {
      say.set(name, onLine);
      return { ready: Promise.resolve(), [Symbol.dispose]: () => void say.delete(name) };
    },
  });
  void marks.listenTo(['booking-1', 'booking-2']);
  const log = (part: string, request: number, mark: string, atMs: number, value?: number) =>
    say.get(part)?.(
      JSON.stringify({ level: 30, requestId: nginxId(request), mark, atMs, value, msg: 'mark' }),
    );
  log('booking-1', 1, 'arrived', 1_000);
  log('booking-1', 1, 'waits', 1_001);
  log('booking-1', 1, 'holds', 1_002, 77);
  log('booking-2', 2, 'arrived', 1_003);
  log('booking-2', 2, 'waits', 1_004);
  say.get('booking-2')?.('{"msg":"mark","requestId":"cut o');
  const sale: LiveSale = {
    scenario: {
      guard: guardOf('fenced-lock'),
      crowd: { tickets: 1, buyers: 2, quantity: 1, connections: 2, raceWindowMs: 5 },
    },
    eventId: 7,
    startedAt: new Date(0),
    asked: 2,
    attempts: [],
  };

  it('one sees what it has in flight, and its token', () => {
    expect(figuresOf(sale, marks, replicas)).toMatchObject({
      'booking-1': { inFlight: 1, booked: 0, unknown: 0, p99Ms: null, holds: { token: 77 } },
      'booking-2': { inFlight: 1, holds: null },
    });
  });

  it('what nginx answers in its place is its unknown, and what it has done is a lane', () => {
    const attempts = [
      attempt(1, { instanceId: 'nginx', code: 'unknown', status: 504, serverTiming: null }),
      attempt(2, {
        instanceId: 'booking-2',
        code: 'booked',
        status: 201,
        serverTiming: 'arrived;dur=1003, waits;dur=1004, holds;dur=1010;desc="78", answered;dur=1030',
      }),
    ];
    const after = { ...sale, attempts };
    expect(figuresOf(after, marks, replicas)).toMatchObject({
      'booking-1': { inFlight: 0, unknown: 1, holds: null },
      'booking-2': { inFlight: 0, booked: 1, p99Ms: 20 },
    });
    const pauses = [{ part: 'booking-1', fromMs: -1e9, toMs: null }];
    const { race } = raceOf(after, { rows: 1, available: 0 }, marks, replicas, pauses)!;
    expect(race).toMatchObject({ strategy: 'fenced-lock', event: 7, buyerCount: 2, rows: 1 });
    expect(race.buyers.map(({ instance, outcome }) => [instance, outcome])).toEqual([
      ['booking-1', 'unknown'],
      ['booking-2', 'booked'],
    ]);
    expect(race.buyers[0]!.marks.at(-1)).toEqual({ name: 'holds', atMs: 2, value: 77 });
    expect(overlaps(race)).toBe(0);
    expect(raceLanes(race).html).toMatch(/class="paused"[^>]+>\s*<title>booking-1 does nothing for 30 ms/);
  });

  it('lines that tell no mark are nothing', () => {
    expect(markIn('{"msg":"serving"}')).toBeNull();
    expect(markIn('{"msg":"mark"}')).toBeNull();
    expect(marks.all()).toHaveLength(2);
    void marks.listenTo(['booking-2']);
    expect([...say.keys()]).toEqual(['booking-2']);
  });
});

it('of a crowd those are drawn who booked, and then who came first', () => {
  const buyers = Array.from({ length: 200 }, (_, index) => ({
    customer: String(index),
    instance: 'booking-1',
    outcome: index === 150 ? 'booked' : 'sold_out',
    token: null,
    marks: [{ name: 'arrived', atMs: 200 - index, value: null }],
  }));
  const drawn = drawnBuyers({ buyers } as unknown as Parameters<typeof drawnBuyers>[0]);
  expect(drawn).toHaveLength(MOST_LANES);
  expect(drawn[0]!.customer).toBe('150');
  expect(drawn.at(-1)!.customer).toBe('199');
});

it('a Postgres that does not answer is asked again, at the address that it has then', async () => {
  const urls = ['postgres://127.0.0.1:1/none', 'postgres://127.0.0.1:2/none'];
  let asked = 0;
  await using oracle = patientOracle(async () => {
    asked += 1;
    const url = urls.shift();
    if (url === undefined) throw new Error('this test has seen enough');
    return url;
  });
  await expect(oracle.connected()).rejects.toThrow(/127\.0\.0\.1:1 does not answer/);
  await expect(oracle.connected()).rejects.toThrow(/127\.0\.0\.1:2 does not answer/);
  await expect(oracle.connected()).rejects.toThrow('this test has seen enough');
  expect(asked).toBe(3);
});

function replica(name: string): ClusterPart {
  return { name, kind: 'replica', state: 'running', instance: name };
}

function nginxId(request: number): string {
  return String(request).padStart(32, '0');
}

function attempt(buyer: number, answer: Partial<Answer>): Attempt {
  const requestId = nginxId(buyer).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  return {
    buyer,
    number: 1,
    customer: `run-x-buyer-${buyer}`,
    startedAtMs: 10,
    answer: { receivedAtMs: 30, requestId, booking: null, ...answer } as Answer,
  };
}
