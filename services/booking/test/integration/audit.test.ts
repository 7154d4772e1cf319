import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';

import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';

import { openHouse, type House } from '../support/house.ts';

/** `make audit`, as a process of its own. */

let house: House;

beforeAll(async () => {
  house = await openHouse(inject('postgresUrl'));
});

afterAll(() => house[Symbol.asyncDispose]());

beforeEach(async () => {
  await sql`truncate events, inventory, bookings`.execute(house.db);
});

async function audit(args: string[] = [], env: NodeJS.ProcessEnv = { DATABASE_URL: house.databaseUrl }) {
  const child = spawn(process.execPath, ['src/audit.ts', ...args], {
    cwd: new URL('../../', import.meta.url),
    env,
  });
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close') as Promise<[number | null]>,
  ]);
  return { code, stdout, stderr };
}

/** An event with so many tickets in one booking row and, by its counter, so many left. */
async function newEvent(capacity: number, { booked, available }: { booked: number; available: number }) {
  const id = await house.newEvent(capacity);
  if (booked > 0) {
    await sql`
      insert into bookings (id, event_id, epoch, quantity, customer, strategy, instance_id)
      values (gen_random_uuid(), ${id}, 1, ${booked}, 'test', 'no-lock', 'test'),
             -- Before a reset: it counts no more.
             (gen_random_uuid(), ${id}, 0, 1000, 'test', 'no-lock', 'test')`.execute(house.db);
  }
  await sql`update inventory set available = ${available} where event_id = ${id}`.execute(house.db);
  return id;
}

function availableOf(ids: number[]): Promise<number[]> {
  return Promise.all(ids.map(async (id) => (await house.event(id)).available));
}

test('where counters and rows agree there is nothing to say', async () => {
  await newEvent(5, { booked: 3, available: 2 });
  await newEvent(5, { booked: 0, available: 5 });
  expect(await audit()).toEqual({
    code: 0,
    stdout: '2 events: counters and booking rows agree.\n',
    stderr: '',
  });
});

describe('counters that differ', () => {
  let oversold: number;
  let ahead: number;
  let behind: number;

  beforeEach(async () => {
    await newEvent(5, { booked: 3, available: 2 });
    oversold = await newEvent(1, { booked: 54, available: 0 });
    ahead = await newEvent(10, { booked: 2, available: 5 });
    behind = await newEvent(10, { booked: 6, available: 9 });
  });

  test('are told in the words of the load harness, and left alone', async () => {
    const { code, stdout } = await audit();
    expect(code).toBe(1);
    expect(stdout).toContain(
      '54 tickets sold though there was only 1: 53 too many; the counter says 1 ticket sold, the booking rows say 54',
    );
    expect(stdout).toContain('the counter says 5 tickets sold, the booking rows say 2');
    expect(stdout).toContain('3 of 4 events differ');
    expect(await availableOf([oversold, ahead, behind])).toEqual([0, 5, 9]);
  });

  test('are told to programs', async () => {
    const { code, stdout } = await audit(['--json']);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      format: 'lastseat-audit/1',
      good: false,
      events: 4,
      differences: [
        {
          eventId: oversold,
          capacity: 1,
          available: 0,
          bookedByCounter: 1,
          bookedByRows: 54,
          oversold: 53,
          findings: [{ kind: 'oversold' }, { kind: 'counter_differs' }],
        },
        { eventId: ahead, oversold: 0, findings: [{ kind: 'counter_differs' }] },
        { eventId: behind, oversold: 0, findings: [{ kind: 'counter_differs' }] },
      ],
    });
  });

  test.each([
    ['--fix', ['--fix'], {}],
    ['FIX=1', [], { FIX: '1' }],
  ])('are mended with %s, and what is sold too often stays so', async (_, args, env) => {
    const fixed = await audit(args, { DATABASE_URL: house.databaseUrl, ...env });
    expect(fixed.code, 'one event is oversold').toBe(1);
    expect(fixed.stdout).toContain('available was 5 and is 8 now');
    expect(await availableOf([oversold, ahead, behind])).toEqual([0, 8, 4]);
    const { stdout } = await audit(['--json']);
    expect(JSON.parse(stdout)).toMatchObject({ differences: [{ eventId: oversold }] });
  });

  test('are all good once they are mended', async () => {
    await sql`delete from bookings where event_id = ${oversold}`.execute(house.db);
    expect((await audit(['--fix'])).code).toBe(0);
    expect((await audit()).code).toBe(0);
  });
});

test.each([
  ['an unknown option', ['--mend'], {}, '--mend'],
  ['a FIX that is none', [], { FIX: 'yes' }, 'FIX=yes'],
  ['no database', [], { DATABASE_URL: '' }, 'DATABASE_URL'],
  ['a database that is away', [], { DATABASE_URL: 'postgres://u:p@127.0.0.1:1/d' }, 'ECONNREFUSED'],
])('%s is told in one line', async (_, args, env, what) => {
  const { code, stdout, stderr } = await audit(args, { DATABASE_URL: house.databaseUrl, ...env });
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr.trim().split('\n')).toEqual([expect.stringContaining(what)]);
});

test('--help says how to use it', async () => {
  const { code, stdout } = await audit(['--help'], {});
  expect(code).toBe(0);
  expect(stdout).toContain('make audit FIX=1');
});
