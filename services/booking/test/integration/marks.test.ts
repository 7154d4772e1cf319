import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';

import type { StrategyName } from '#src/contract.ts';

import { openHouse, openTestContext, untilReady, type House } from '../support/house.ts';
import { withoutBugs } from '../support/log.ts';
import { createTestApp, type TestApp } from '../support/test-app.ts';

const opened = new AsyncDisposableStack();
let house: House;
const logged: Record<string, unknown>[] = [];
let inLab: TestApp;
let outside: TestApp;

beforeAll(async () => {
  house = opened.use(await openHouse(inject('postgresUrl')));
  const context = opened.use(
    openTestContext({ DATABASE_URL: house.databaseUrl, REDIS_URL: inject('redisUrl'), INSTANCE_ID: 'here' }),
  );
  await untilReady(context);
  const log = {
    ...withoutBugs,
    info: (entry: unknown) => void logged.push(entry as Record<string, unknown>),
  };
  inLab = createTestApp(context, { instanceId: 'here', log });
  outside = createTestApp(context, { instanceId: 'here', log, labMode: false });
});

afterAll(() => opened.disposeAsync());

interface Marked {
  status: number;
  requestId: string | null;
  header: string | null;
  names: string[];
  times: number[];
}

async function book(app: typeof inLab, path: string, headers: Record<string, string>): Promise<Marked> {
  const response = await app.request(path, { method: 'POST', headers });
  const header = response.headers.get('server-timing');
  const marks = (header ?? '').split(', ').map((mark) => /^(\w+);dur=([\d.]+)/.exec(mark));
  return {
    status: response.status,
    requestId: response.headers.get('x-request-id'),
    header,
    names: marks.map((mark) => mark?.[1] ?? ''),
    times: marks.map((mark) => Number(mark?.[2])),
  };
}

const UNDER_LOCK = [
  'waits',
  'holds',
  'reads',
  'read',
  'writes',
  'written',
  'commits',
  'committed',
  'released',
];

describe('in the lab an answer that is asked for its marks tells when its booking', () => {
  it.each<[StrategyName, string[]]>([
    ['no-lock', ['reads', 'read', 'writes', 'written', 'commits', 'committed']],
    ['simple-lock', UNDER_LOCK],
    ['fenced-lock', UNDER_LOCK],
    ['row-lock', ['waits', 'holds', 'read', 'writes', 'written', 'commits', 'committed']],
  ])('went through %s', async (strategy, steps) => {
    const eventId = await house.newEvent(3);
    const { status, names, times, header } = await book(inLab, `/book/${strategy}/${eventId}`, {
      'x-marks': '1',
    });
    expect(status).toBe(201);
    expect(names).toEqual(['arrived', ...steps, 'answered']);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    // On the clock of the machine, which other processes have too.
    expect(Math.abs(times[0]! - Number(process.hrtime.bigint()) / 1e6)).toBeLessThan(60_000);
    expect(header).toContain(';desc="3"');
  });

  it('was refused', async () => {
    const eventId = await house.newEvent(0);
    const { status, names } = await book(inLab, `/book/no-lock/${eventId}`, { 'x-marks': '1' });
    expect([status, names]).toEqual([409, ['arrived', 'reads', 'read', 'answered']]);
  });
});

it('the same marks are in the log as they are made: a replica that is killed answers nobody', async () => {
  const eventId = await house.newEvent(1);
  const { requestId, names, times } = await book(inLab, `/book/fenced-lock/${eventId}`, { 'x-marks': '1' });
  const lines = logged.filter((line) => line['requestId'] === requestId);
  expect(lines.map(({ mark, atMs }) => [mark, atMs])).toEqual(
    names.map((name, index) => [name, times[index]]),
  );
});

it('nobody else is told: not who does not ask, and nobody outside the lab', async () => {
  const eventId = await house.newEvent(2);
  expect((await book(inLab, `/book/fenced-lock/${eventId}`, {})).header).toBeNull();
  const before = logged.length;
  expect(await book(outside, `/book-with-lock/${eventId}`, { 'x-marks': '1' })).toMatchObject({
    status: 201,
    header: null,
  });
  expect(logged.length).toBe(before);
});
