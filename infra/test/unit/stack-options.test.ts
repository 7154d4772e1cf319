import { expect, test } from 'vitest';

import { UsageError } from '../../command-line/index.ts';
import { readRequest } from '../../stack/options.ts';

test('what is not said is left as it is', () => {
  expect(readRequest(['up'], {})).toEqual({
    command: 'up',
    help: false,
    replicas: null,
    port: null,
    quorum: null,
    ha: null,
    watch: null,
    runtime: null,
    follow: true,
    volumes: false,
  });
});

test('make passes what it was given through the environment, and flags win over it', () => {
  const numbers = { REPLICAS: '5', PORT: '8081', QUORUM: '3' };
  const env = { ...numbers, HA: 'on', WATCH: 'off', RUNTIME: 'native', FOLLOW: '0' };
  const said = {
    replicas: 5,
    port: 8081,
    quorum: 3,
    ha: true,
    watch: false,
    runtime: 'native',
    follow: false,
  };
  expect(readRequest(['up'], env)).toMatchObject(said);
  expect(readRequest(['scale', '--replicas', '2'], env)).toMatchObject({ ...said, replicas: 2 });
});

test('an empty variable says nothing', () => {
  expect(readRequest(['up'], { REPLICAS: '', PORT: '', RUNTIME: '' })).toEqual(readRequest(['up'], {}));
});

test('no command is a question for help', () => {
  for (const argv of [[], ['help'], ['--help'], ['up', '-h']]) {
    expect(readRequest(argv, {}).help).toBe(true);
  }
});

test.each([
  [{ REPLICAS: '0' }, 'REPLICAS=0: a whole number from 1 to 32'],
  [{ REPLICAS: '33' }, 'REPLICAS=33: a whole number from 1 to 32'],
  [{ REPLICAS: '-1' }, 'REPLICAS=-1: a whole number from 1 to 32'],
  [{ REPLICAS: '1e1' }, 'REPLICAS=1e1: a whole number from 1 to 32'],
  [{ REPLICAS: 'three' }, 'REPLICAS=three: a whole number from 1 to 32'],
  [{ PORT: '0' }, 'PORT=0: a whole number from 1 to 65535'],
  [{ PORT: '65536' }, 'PORT=65536: a whole number from 1 to 65535'],
  [{ QUORUM: '1' }, 'QUORUM=1: must be 0, 3, 5, 7 or 9'],
  [{ QUORUM: '4' }, 'QUORUM=4: must be 0, 3, 5, 7 or 9'],
  [{ HA: 'yes' }, 'HA=yes: must be on or off'],
  [{ WATCH: '1' }, 'WATCH=1: must be on or off'],
  [{ RUNTIME: 'podman' }, 'RUNTIME=podman: must be docker or native'],
])('%o is refused in one line that says how to mend it', (env, message) => {
  expect(() => readRequest(['up'], env)).toThrow(new UsageError(message));
});

test.each([[['start']], [['up', 'down']], [['up', '--replica', '3']], [['scale', '--replicas']]])(
  '%o is refused in one line',
  (argv) => {
    expect(() => readRequest(argv, {})).toThrow(UsageError);
    expect(() => readRequest(argv, {})).toThrow(/^[^\n]+$/);
  },
);
