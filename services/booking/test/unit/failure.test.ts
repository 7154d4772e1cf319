import { expect, test } from 'vitest';

import {
  classifyFailure,
  isConnectionKept,
  isNotCommitted,
  PostgresBusyError,
  PostgresUnavailableError,
} from '#src/storage/failure.ts';

/** [SQLSTATE or a socket's word, what it is, what it is to the caller, may the connection go on, surely no commit] */
const states = [
  ['ECONNRESET', 'a broken socket', PostgresUnavailableError, false, false],
  ['EPIPE', 'a socket that its other end has closed', PostgresUnavailableError, false, false],
  [undefined, 'a query that timed out on our side', PostgresUnavailableError, false, false],
  ['08006', 'connection failure', PostgresUnavailableError, false, false],
  ['57P01', 'the server is shut down', PostgresUnavailableError, false, false],
  ['57P02', 'another process crashed', PostgresUnavailableError, false, false],
  ['57P03', 'the server is starting', PostgresUnavailableError, false, false],
  ['57P05', 'the session was idle for too long', PostgresUnavailableError, false, false],
  ['58030', 'the disk of the server', PostgresUnavailableError, false, false],
  ['40003', 'a pooler does not know what became of the statement', PostgresUnavailableError, false, false],
  ['25P04', 'the transaction took too long', PostgresUnavailableError, false, false],
  ['25P03', 'idle in a transaction for too long', PostgresUnavailableError, false, true],
  ['25006', 'a standby after a failover', PostgresUnavailableError, false, true],
  ['53100', 'disk full', PostgresUnavailableError, false, true],
  ['53300', 'too many connections', PostgresUnavailableError, false, true],
  ['40P01', 'deadlock', PostgresBusyError, true, true],
  ['55P03', 'lock timeout', PostgresBusyError, true, true],
  ['57014', 'statement timeout', PostgresBusyError, true, true],
  ['40001', 'serialization failure', undefined, true, true],
  ['23514', 'a check', undefined, true, true],
  ['42601', 'a typing mistake', undefined, true, true],
] as const;

test.each(states)('%s, %s', (code, _, kind, isKept, isUndone) => {
  const error = Object.assign(new Error('what pg said'), { code });
  const classified = classifyFailure(error);
  if (kind === undefined) expect(classified).toBe(error);
  else expect(classified).toMatchObject({ constructor: kind, message: 'what pg said', cause: error });
  // What they are asked about may have been classified before.
  for (const each of [error, classified]) {
    expect({ isKept: isConnectionKept(each), isUndone: isNotCommitted(each) }).toEqual({ isKept, isUndone });
  }
});
