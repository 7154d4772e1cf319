import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';

import { expect, inject, test } from 'vitest';

import { startFaultProxy } from '../../servers/index.ts';

const redisPort = Number(new URL(inject('redisUrl')).port);
const key = `fault-proxy:${process.pid}`;

test('loses exactly the reply: the request was executed, others are not touched', async () => {
  await using proxy = await startFaultProxy(redisPort);
  const [victim, bystander] = [open(proxy.port), open(proxy.port)];
  expect(await ask(victim, `SET ${key}:lost 0`)).toBe('+OK');

  const dropping = proxy.dropReplies(1, { matching: (request) => request.includes('INCR') });
  expect(await ask(victim, `GET ${key}:lost`)).toBe('$1\r\n0');
  await expect(ask(victim, `INCR ${key}:lost`)).rejects.toThrow(/ECONNRESET|ended/);
  await dropping.done;
  expect(dropping.dropped.map(String)).toEqual([`INCR ${key}:lost\r\n`]);

  expect(await ask(bystander, `INCR ${key}:lost`)).toBe(':2');
});

test('keeps the connection open in silence after a lost reply when told to', async () => {
  await using proxy = await startFaultProxy(redisPort);
  const victim = open(proxy.port);
  const dropping = proxy.dropReplies(1, { afterwards: 'silence' });
  const unanswered = ask(victim, `SET ${key}:silent 1`);
  await dropping.done;
  expect(await ask(open(redisPort), `GET ${key}:silent`)).toBe('$1\r\n1');
  expect(victim.destroyed).toBe(false);
  await proxy.heal();
  await expect(unanswered).rejects.toThrow(/ECONNRESET|ended/);
});

test('a black hole delivers late, not never', async () => {
  await using proxy = await startFaultProxy(redisPort);
  const [before, direct] = [open(proxy.port), open(redisPort)];
  await ask(before, 'PING');
  proxy.blackHole();
  const late = ask(before, `SET ${key}:late 1`);
  const lateToo = ask(open(proxy.port), `GET ${key}:none`);
  expect(await ask(direct, `EXISTS ${key}:late`)).toBe(':0');
  await proxy.heal();
  expect(await late).toBe('+OK');
  expect(await lateToo).toBe('$-1');
});

test('a delay holds requests and replies back, and keeps their order when it shrinks', async () => {
  await using proxy = await startFaultProxy(redisPort);
  const socket = open(proxy.port);
  await ask(socket, 'PING');
  proxy.delay({ requestMs: 20, replyMs: 30 });
  const startedAt = performance.now();
  await ask(socket, 'PING');
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(49);

  let replies = '';
  socket.on('data', (chunk: Buffer) => (replies += chunk.toString()));
  const executed = open(redisPort);
  proxy.delay({ replyMs: 30 });
  socket.write(`INCR ${key}:order\r\n`);
  while ((await ask(executed, `EXISTS ${key}:order`)) === ':0'); // each turn is a round trip
  proxy.delay({});
  await ask(executed, 'PING');
  socket.write(`INCR ${key}:order\r\n`);
  while (!replies.includes(':2')) await once(socket, 'data');
  expect(replies).toBe(':1\r\n:2\r\n');
});

test('cut ends what is open, refuse turns newcomers away, heal undoes both', async () => {
  await using proxy = await startFaultProxy(redisPort);
  const reset = open(proxy.port);
  await ask(reset, 'PING');
  proxy.cut('reset');
  await expect(once(reset, 'close')).rejects.toThrow('ECONNRESET');

  const ended = open(proxy.port);
  await ask(ended, 'PING');
  proxy.cut('end');
  expect(await once(ended, 'close')).toEqual([false]);

  await proxy.refuse();
  await expect(ask(open(proxy.port), 'PING')).rejects.toThrow('ECONNREFUSED');
  await proxy.heal();
  expect(await ask(open(proxy.port), 'PING')).toBe('+PONG');
});

test('passes large bodies through whole, both ways', async () => {
  await using proxy = await startFaultProxy(redisPort);
  const value = 'x'.repeat(4_000_000);
  const socket = open(proxy.port);
  expect(await ask(socket, `*2\r\n$4\r\nECHO\r\n$${value.length}\r\n${value}`, value.length)).toBe(
    `$${value.length}\r\n${value}`,
  );
});

function open(port: number): Socket {
  return connect({ port, host: '127.0.0.1' }).on('error', () => {});
}

/** One command and its reply, or the reason why none came. */
function ask(socket: Socket, command: string, minLength = 0): Promise<string> {
  return new Promise((resolve, reject) => {
    let reply = '';
    const onData = (chunk: Buffer) => {
      reply += chunk.toString();
      if (!reply.endsWith('\r\n') || reply.length < minLength) return;
      socket.off('data', onData);
      resolve(reply.slice(0, -2));
    };
    socket.on('data', onData);
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('ended')));
    socket.write(`${command}\r\n`);
  });
}
