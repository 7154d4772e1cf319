import { LockTimeoutError } from '@lastseat/locking';
import { DatabaseError } from 'pg';
import { expect, test } from 'vitest';

import { createLog } from '#src/log.ts';
import { PostgresUnavailableError } from '#src/storage/failure.ts';

/** @returns what the log says, line by line */
function logged(write: (log: ReturnType<typeof createLog>) => void) {
  const lines: string[] = [];
  write(createLog({ logLevel: 'info', instanceId: 'unit-1' }, { write: (line) => void lines.push(line) }));
  return { text: lines.join(''), lines: lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

test('the rows and arguments that come with the errors of clients are left out, and the causes are not', () => {
  const row = Object.assign(new DatabaseError('violates check constraint "quantity"', 90, 'error'), {
    code: '23514',
    constraint: 'quantity',
    detail: 'Failing row contains (1, ada lovelace).',
    where: 'SQL statement with ada lovelace',
  });
  const reply = Object.assign(new Error('WRONGPASS'), { command: { name: 'auth', args: ['hunter2'] } });
  const { text, lines } = logged((log) => {
    log.error({ err: new PostgresUnavailableError('away', { cause: row }) }, 'a');
    log.warn({ err: new AggregateError([reply, new LockTimeoutError({ lock: 'event:1', waitMs: 5 })]) }, 'b');
  });
  expect(text).not.toContain('lovelace');
  expect(text).not.toContain('hunter2');
  expect(lines).toMatchObject([
    {
      instanceId: 'unit-1',
      msg: 'a',
      err: {
        type: 'PostgresUnavailableError',
        message: 'away',
        stack: expect.stringContaining('log-redaction.test.ts'),
        cause: { message: 'violates check constraint "quantity"', code: '23514', constraint: 'quantity' },
      },
    },
    { err: { errors: [{ message: 'WRONGPASS' }, { type: 'LockTimeoutError', lock: 'event:1', waitMs: 5 }] } },
  ]);
});

test('names and secrets are not told, wherever they stand', () => {
  const { text, lines } = logged((log) => {
    log.info({ customer: 'ada', request: { customer: 'ada', token: 'hunter2' }, requestId: 'r-1' }, 'c');
    log.warn({ err: new Error('connect redis://:hunter2@cache:6379 failed') }, 'd');
    log.warn({ err: 'postgres://lastseat:hunter2@db/lastseat is away' }, 'e');
    log.warn({ err: { password: 'hunter2' } }, 'f');
  });
  expect(text).not.toMatch(/ada|hunter2/);
  expect(lines[0]).toMatchObject({ requestId: 'r-1', customer: '(not shown)', msg: 'c' });
  expect(lines[1]).toMatchObject({ err: { message: 'connect redis://(not shown)@cache:6379 failed' } });
});

test('an error that is its own cause ends', () => {
  const error = new Error('round');
  error.cause = error;
  const { lines } = logged((log) => log.error({ err: error }, 'g'));
  expect(lines).toHaveLength(1);
});
