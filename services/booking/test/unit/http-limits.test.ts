import { once } from 'node:events';
import { connect } from 'node:net';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { listen, type HttpServer } from '#src/http/server.ts';

import { createFakeApp } from '../support/fake-app.ts';
import { withoutBugs } from '../support/log.ts';

/** What a socket can do that a `Request` cannot: a real server, and nothing behind it. */

const { app, lines } = createFakeApp();
let server: HttpServer;
let base: string;

beforeAll(async () => {
  server = await listen(app, { host: '127.0.0.1', port: 0, instanceId: 'unit-1', log: withoutBugs });
  base = `http://127.0.0.1:${server.port}`;
});

afterAll(() => server.drain({ delayMs: 0, graceMs: 1_000 }));

/** What comes back on a bare socket until the server closes it. */
async function send(...chunks: string[]): Promise<string> {
  const socket = connect(server.port, '127.0.0.1');
  await once(socket, 'connect');
  for (const chunk of chunks) socket.write(chunk);
  let answer = '';
  socket.setEncoding('utf8').on('data', (text: string) => (answer += text));
  socket.on('error', () => {});
  await once(socket, 'close');
  return answer;
}

test.each([
  ['what is not HTTP', 'hello\r\n\r\n', 400],
  ['headers without end', `GET / HTTP/1.1\r\nhost: a\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
  ['a request without a host', 'GET /livez HTTP/1.1\r\nconnection: close\r\n\r\n', 400],
  ['a host that is none', 'GET /livez HTTP/1.1\r\nhost: a b\r\nconnection: close\r\n\r\n', 400],
  [
    'contradicting lengths',
    'POST /noop HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n',
    400,
  ],
  [
    'two idempotency keys',
    'POST /book-with-lock/1 HTTP/1.1\r\nhost: a\r\nidempotency-key: a\r\nidempotency-key: a\r\nconnection: close\r\n\r\n',
    400,
  ],
  [
    'an expectation of something odd',
    'GET /livez HTTP/1.1\r\nhost: a\r\nexpect: magic\r\nconnection: close\r\n\r\n',
    417,
  ],
])('%s is answered by name', async (_, request, status) => {
  const answer = await send(request);
  expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  expect(answer.toLowerCase()).toContain('x-instance-id: unit-1');
  expect(answer).toContain('application/problem+json');
});

test('a body of 10 MB is refused by its length, unread', async () => {
  const response = await fetch(`${base}/events/1/bookings`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: 'x'.repeat(10_000_000),
  });
  expect(response.status).toBe(413);
  expect(response.headers.get('x-instance-id')).toBe('unit-1');
});

test('a body that does not tell its length is refused once it is too long', async () => {
  const chunk = 'x'.repeat(1_000);
  const head =
    'POST /noop HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n';
  const answer = await send(head, ...Array.from({ length: 20 }, () => `3e8\r\n${chunk}\r\n`));
  expect(answer).toMatch(/^HTTP\/1.1 413 /);
});

test('a body in chunks is read like any other', async () => {
  const head =
    'POST /book-with-lock/1 HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n';
  const answer = await send(head, '7\r\n{"quant\r\n', '7\r\nity":4}\r\n', '0\r\n\r\n');
  expect(answer).toMatch(/^HTTP\/1.1 201 /);
  expect(answer).toContain('"quantity":4');
});

test('HEAD is GET without a body', async () => {
  const response = await fetch(`${base}/livez`, { method: 'HEAD' });
  expect(response.status).toBe(200);
  expect(response.headers.get('x-instance-id')).toBe('unit-1');
});

test('a client that hangs up in the middle of its body disturbs nobody', async () => {
  const socket = connect(server.port, '127.0.0.1');
  await once(socket, 'connect');
  socket.write(
    'POST /noop HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"',
  );
  socket.destroy();
  expect((await fetch(`${base}/livez`)).status).toBe(200);
  expect(lines).toEqual([]);
});

test('a body that never comes is given up', { timeout: 20_000 }, async () => {
  const answer = await send(
    'POST /noop HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"',
  );
  expect(answer).toMatch(/^HTTP\/1.1 408 /);
});
