import { describe, expect, test } from 'vitest';

import { isDemotion, isRefusal } from '#src/client/errors.ts';

const readonly = "READONLY You can't write against a read only replica.";
const memory = "OOM command not allowed when used memory > 'maxmemory'.";
const type = 'WRONGTYPE Operation against a key holding the wrong kind of value';

/** How Redis says so from inside a script: since version 7, before it, and before it about a command of the script. */
const wordings = {
  'since version 7': (said: string) =>
    `${said} script: f_6b1bf486c81ceb7edf3c093f4c48582e38c0e791, on @user_script:1.`,
  'before version 7': (said: string) =>
    `ERR Error running script (call to f_6b1bf486c81ceb7edf3c093f4c48582e38c0e791): @user_script:12: @user_script: 12: -${said}`,
  'before version 7, of a command': (said: string) =>
    `ERR Error running script (call to f_6b1bf486c81ceb7edf3c093f4c48582e38c0e791): @user_script:12: ${said}`,
  'without a script': (said: string) => said,
};

describe.each(Object.entries(wordings))('as Redis says it %s', (_since, word) => {
  const says = (said: string) => new Error(word(said));

  test('a server that is not the primary any more has not refused for good', () => {
    for (const said of [
      readonly,
      'MASTERDOWN Link with MASTER is down',
      'NOREPLICAS Not enough good replicas',
    ]) {
      expect([isDemotion(says(said)), isRefusal(says(said))]).toEqual([true, false]);
    }
  });

  test('nor has one that is short of memory, or busy: but it is the right one', () => {
    for (const said of [
      memory,
      'MISCONF Redis is configured to save',
      'BUSY Redis is busy running a script.',
    ]) {
      expect([isDemotion(says(said)), isRefusal(says(said))]).toEqual([false, false]);
    }
  });

  test('a key of another type, a missing permission or a mistake is a refusal', () => {
    for (const said of [type, 'NOPERM No permissions to access a key', 'ERR value is not an integer']) {
      expect([isDemotion(says(said)), isRefusal(says(said))]).toEqual([false, true]);
    }
  });
});

test('an error of a script itself is a refusal, whatever words it has in it', () => {
  const error =
    'ERR Error running script (call to f_0): @user_script:3: user_script:3: no larger token, READONLY or not';
  expect(isRefusal(new Error(error))).toBe(true);
  expect(isDemotion(new Error(error))).toBe(false);
});

test('what was not answered is no refusal', () => {
  for (const said of ['no reply within 1000 ms', 'connect ECONNREFUSED 127.0.0.1:1', '']) {
    expect(isRefusal(new Error(said))).toBe(false);
  }
});
