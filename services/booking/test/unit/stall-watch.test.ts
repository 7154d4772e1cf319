import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { listen, type HttpServer } from '#src/http/server.ts';

import { createFakeApp } from '../support/fake-app.ts';
import { withoutBugs } from '../support/log.ts';

/** A process that is stopped, as its own event loop sees it: it stands still, and the kernel takes what comes. */

const { app, requests } = createFakeApp();
const stalledMs: number[] = [];
const onStall = (ms: number) => stalledMs.push(ms);
let server: HttpServer;

beforeAll(async () => {
  server = await listen(app, { host: '127.0.0.1', port: 0, instanceId: 'unit-1', log: withoutBugs, onStall });
});

afterAll(() => server.drain({ delayMs: 0, graceMs: 0 }));

test('what was given up while it stood still is not booked, and whoever still waits is served', async () => {
  const [kept, waiting] = [await open(), await open()];
  await book(kept, 'before');
  const fresh = connect(server.port, '127.0.0.1');
  await once(fresh, 'connect');

  send(kept, 'given up');
  send(fresh, 'given up at once');
  kept.destroy();
  fresh.destroy();
  const answered = book(waiting, 'patient');
  standStill(1_500);

  await answered;
  await book(waiting, 'after');
  waiting.destroy();
  expect(Math.max(...stalledMs)).toBeGreaterThan(1_000);
  expect(requests.map(({ customer }) => customer)).toEqual(['before', 'patient', 'after']);
});

async function open(): Promise<Socket> {
  const socket = connect(server.port, '127.0.0.1');
  await once(socket, 'connect');
  return socket;
}

/** On its way when this returns: on loopback Node writes at once. */
function send(socket: Socket, customer: string): void {
  const body = JSON.stringify({ customer });
  const head = 'POST /events/1/bookings HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';
  socket.write(`${head}Content-Length: ${body.length}\r\n\r\n${body}`);
}

async function book(socket: Socket, customer: string): Promise<void> {
  const answer = once(socket, 'data');
  send(socket, customer);
  expect(String(await answer)).toContain('HTTP/1.1 201 ');
}

function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
