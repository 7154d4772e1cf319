import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import { expect, test } from 'vitest';

import { lookUpUnknown } from '#src/look-up.ts';

import { honestRun } from '../unit/honest-run.ts';

test('an API that has fallen silent is not asked for one request after the other', async () => {
  const silent = createServer(() => {}).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
  const { attempts } = honestRun();
  for (const { answer } of attempts) if (answer) answer.code = 'unknown';
  const target = { url, postgresUrl: '', replicas: 2, runtime: null, hasQuorum: false };

  // Each by itself waits for five seconds: all of them for minutes.
  expect(await lookUpUnknown(target, attempts)).toEqual(new Map());
  silent.closeAllConnections();
  silent.close();
}, 60_000);
