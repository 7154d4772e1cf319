import { once } from 'node:events';
import { connect } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';

import { expect, test } from 'vitest';

import { listen } from '#src/http/server.ts';

import { createFakeApp } from '../support/fake-app.ts';
import { withoutBugs } from '../support/log.ts';

const REQUEST = 'GET /livez HTTP/1.1\r\nhost: a\r\n\r\n';
// Longer than from one look at the idle connections to the next one.
const STALL_MS = 200;

test('a request that arrives while a draining process stands still is answered', async () => {
  const { app } = createFakeApp();
  const server = await listen(app, { host: '127.0.0.1', port: 0, instanceId: 'unit-1', log: withoutBugs });
  const socket = connect(server.port, '127.0.0.1');
  await once(socket, 'connect');
  let answers = '';
  socket.setEncoding('utf8').on('data', (text: string) => (answers += text));
  socket.on('error', () => {});
  socket.write(REQUEST);
  await once(socket, 'data');

  const drained = server.drain({ delayMs: 0, graceMs: 1_000 });
  // Until it has stopped accepting, and looks for idle connections.
  for (let turns = 0; turns < 10; turns += 1) await turn();
  socket.write(REQUEST); // the kernel has it at once
  const untilMs = performance.now() + STALL_MS;
  while (performance.now() < untilMs);
  await once(socket, 'close');

  expect(answers.match(/HTTP\/1\.1 200 /g)).toHaveLength(2);
  expect(answers.toLowerCase()).toContain('connection: close');
  expect(await drained).toBe(true);
});
