import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { ConfigError, readConfig } from '#src/config.ts';
import { MAX_LOCK_WAIT_MS } from '#src/time-limits.ts';

const minimal = {
  DATABASE_URL: 'postgres://u:p@db:5432/lastseat',
  REDIS_URL: 'redis://redis:6379',
  BOOKING_KEY: 'a key of at least thirty-two characters',
};

function problemsOf(env: NodeJS.ProcessEnv): readonly string[] {
  try {
    readConfig({ ...minimal, ...env });
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

test('two addresses and a key are all that must be given', () => {
  const config = readConfig(minimal);
  expect(config).toMatchObject({ host: '127.0.0.1', port: 3000, labMode: false, quorumRedisUrls: [] });
  expect(Object.isFrozen(config)).toBe(true);
});

test('sentinels stand in the place of one Redis', () => {
  const env = {
    ...minimal,
    REDIS_URL: '',
    REDIS_SENTINELS: 'a:26379, b:26380',
    REDIS_PRIMARY_NAME: 'tickets',
  };
  expect(readConfig(env).redis).toEqual({
    sentinels: [
      { host: 'a', port: 26_379 },
      { host: 'b', port: 26_380 },
    ],
    name: 'tickets',
  });
  expect(problemsOf({ REDIS_URL: undefined, REDIS_SENTINELS: 'redis://a:26379' })).toEqual([
    'REDIS_SENTINELS="redis://a:26379": write host:port for each of them, such as sentinel-1:26379,sentinel-2:26379,sentinel-3:26379',
  ]);
});

test('what compose passes empty counts as not given', () => {
  expect(readConfig({ ...minimal, PORT: '', QUORUM_REDIS_URLS: '', OPERATORS: '' })).toMatchObject({
    port: 3000,
    quorumRedisUrls: [],
    operators: [],
  });
});

test('every problem is reported at once, with its variable, its value and how to mend it', () => {
  const problems = problemsOf({ REDIS_URL: undefined, PORT: '80a', LAB_MODE: 'yes', LOG_LEVEL: 'loud' });
  expect(problems).toEqual([
    'PORT="80a": write a whole number from 0 to 65535',
    'LAB_MODE="yes": write on or off',
    'LOG_LEVEL="loud": write a level such as info or debug',
    'REDIS_URL is not set: write a URL such as redis://host:6379',
  ]);
});

test.each([
  ['PORT', '65536'],
  ['PORT', '-1'],
  ['PORT', '1e3'],
  ['PG_POOL_MAX', '0'],
  ['LOCK_TTL_MS', '99'],
  ['RACE_WINDOW_MS', '5001'],
  ['INSTANCE_ID', 'two words'],
  ['INSTANCE_ID', 'line\nbreak'],
  ['DATABASE_URL', 'mysql://db/lastseat'],
  ['REDIS_URL', 'redis'],
  ['REDIS_SENTINELS', 'sentinel-1:26379'], // beside REDIS_URL: which of them would it be?
  ['QUORUM_REDIS_URLS', 'redis://a:1,redis://b:2'],
  ['QUORUM_REDIS_URLS', 'redis://a:1,redis://a:1,redis://b:2'],
  ['QUORUM_REDIS_URLS', 'redis://a:1,http://b:2,redis://c:3'],
  ['BOOKING_KEY', 'guessable'],
  ['OPERATORS_FILE', '/no/such/file'],
  ['OPERATORS', 'ada guessable events:write'],
  ['OPERATORS', 'ada a-token-of-some-length everything'],
  ['OPERATORS', 'ada a-token-of-some-length'],
  ['OPERATORS', 'a/b a-token-of-some-length events:write'],
  // Valid as text, and yet no request could ever carry them.
  ['OPERATORS', 'ada correct horse battery staple events:write'],
  ['OPERATORS', 'ada schlüssel-von-einiger-länge events:write'],
  // Traces would go nowhere, or all of them be kept, and nobody be told.
  ['OTEL_EXPORTER_OTLP_ENDPOINT', 'collector:4318'],
  ['OTEL_TRACES_SAMPLER', 'some'],
  ['OTEL_TRACES_SAMPLER_ARG', '10%'],
  // Nobody would ever get a lock.
  ['LOCK_WAIT_MS', '0'],
  // Postgres cuts the name of a connection after 63.
  ['INSTANCE_ID', 'x'.repeat(64)],
])('%s=%j is refused by name', (name, value) => {
  expect(problemsOf({ LAB_MODE: 'on', [name]: value })).toEqual([expect.stringContaining(name)]);
});

test('a wait for a lock that leaves no time to book is refused with the longest that does', () => {
  const longest = String(MAX_LOCK_WAIT_MS);
  expect(readConfig({ ...minimal, LOCK_WAIT_MS: longest }).lockWaitMs).toBe(MAX_LOCK_WAIT_MS);
  expect(problemsOf({ LOCK_WAIT_MS: '9000' })).toEqual([expect.stringContaining(longest)]);
});

test('a secret is never shown', () => {
  const problems = problemsOf({
    DATABASE_URL: 'mysql://u:secret@db',
    BOOKING_KEY: 'secret',
    OPERATORS: 'ada secret events:write',
  });
  expect(problems).toHaveLength(3);
  expect(problems.join()).not.toContain('secret');
});

test('a race window outside lab mode is refused rather than ignored', () => {
  expect(problemsOf({ RACE_WINDOW_MS: '50' })).toEqual([expect.stringContaining('LAB_MODE=on')]);
  expect(problemsOf({ RACE_WINDOW_MS: '50', LAB_MODE: 'on' })).toEqual([]);
});

test('an instance id of its own is fit to be a header', () => {
  expect(readConfig(minimal).instanceId).toMatch(/^[\w.:-]{1,63}$/);
});

test('outside the lab there must be a key, and it is asked for together with all else', () => {
  expect(problemsOf({ BOOKING_KEY: undefined })).toEqual([
    expect.stringMatching(/^BOOKING_KEY is not set: .*openssl/),
  ]);
  expect(problemsOf({ BOOKING_KEY: undefined, PORT: '80a' })).toHaveLength(2);
  expect(problemsOf({ BOOKING_KEY: undefined, LAB_MODE: 'on' })).toEqual([]);
});

test('every wrong line of the operators is named by its number, and by no token', () => {
  const lines = [
    '# who may do what',
    'ada a-token-of-some-length events:write',
    'ada b short-secret',
    'bob a-token-of-some-length events:write',
  ];
  const problems = problemsOf({ OPERATORS: lines.join('\n') });
  expect(problems).toEqual([
    expect.stringMatching(/line 3/),
    expect.stringMatching(/line 4: give bob a token of its own/),
  ]);
});

test('operators come from a file too, and from one of the two only', () => {
  const dir = mkdtempSync(join(tmpdir(), 'operators-'));
  const path = join(dir, 'operators');
  writeFileSync(
    path,
    'ada a-token-of-some-length events:write,bookings:read\nbob another-token-of-some bookings:write\n',
  );
  expect(readConfig({ ...minimal, OPERATORS_FILE: path }).operators).toEqual([
    { name: 'ada', token: 'a-token-of-some-length', scopes: ['events:write', 'bookings:read'] },
    { name: 'bob', token: 'another-token-of-some', scopes: ['bookings:write'] },
  ]);
  expect(problemsOf({ OPERATORS_FILE: path, OPERATORS: 'x' })).toHaveLength(1);
  rmSync(dir, { recursive: true });
});
