import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Server } from 'node:net';

import { afterEach, expect, test } from 'vitest';

import { startBalancer, type Backend, type Health } from '#src/swarm/balancer.ts';

/** What the load goes through on its way to the nodes: real servers take the part of their nginx. */

// As quick as it can be; nothing here depends on how quick that is.
const HEALTH: Health = { path: '/health', everyMs: 20, timeoutMs: 5_000, fall: 2, rise: 2 };

const open: { close(): void }[] = [];
afterEach(() => {
  for (const server of open.splice(0)) server.close();
});

async function listen(server: Server, name: string, port = 0): Promise<Backend & { port: number }> {
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  open.push(server);
  const { port: taken } = server.address() as AddressInfo;
  return { name, port: taken, url: `http://127.0.0.1:${taken}` };
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** Healthy, and everything else as `handler` has it. */
function nodeOf(handler: Handler) {
  return createServer((request, response) => {
    if (request.url === '/health') response.end('ok');
    else handler(request, response);
  });
}

const answers =
  (name: string): Handler =>
  (_request, response) =>
    response.setHeader('x-node', name).end(name);

const post = (url: string) =>
  fetch(`${url}/book`, { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } });

test('requests go to all nodes in turn, with their body, and come back as they were answered', async () => {
  const heard: string[] = [];
  const node = (name: string) =>
    nodeOf((request, response) => {
      request.on('data', (chunk) => heard.push(`${request.method} ${request.url} ${chunk}`));
      request.on('end', () => response.writeHead(201, { 'x-node': name }).end(name));
    });
  await using balancer = await startBalancer(
    [await listen(node('n1'), 'n1'), await listen(node('n2'), 'n2')],
    HEALTH,
  );
  const said = await Promise.all([1, 2, 3, 4].map(() => post(balancer.url)));
  expect(said.map(({ status }) => status)).toEqual([201, 201, 201, 201]);
  expect(said.map(({ headers }) => headers.get('x-node') ?? '').sort()).toEqual(['n1', 'n1', 'n2', 'n2']);
  expect(heard).toEqual(Array.from({ length: 4 }, () => 'POST /book {}'));
});

test('a node that refuses connections costs no request, and is asked again when it is back', async () => {
  const gone = await listen(nodeOf(answers('n1')), 'n1');
  open.pop()?.close();
  const there = await listen(nodeOf(answers('n2')), 'n2');
  await using balancer = await startBalancer([gone, there], HEALTH);
  // Before the checks have noticed, when it is the turn of each of them, and after.
  for (let turn = 0; turn < 2; turn += 1) expect(await (await post(balancer.url)).text()).toBe('n2');
  await expect.poll(() => balancer.up()).toEqual(['n2']);
  expect(await (await post(balancer.url)).text()).toBe('n2');

  await listen(nodeOf(answers('n1')), 'n1', gone.port);
  await expect.poll(() => balancer.up()).toEqual(['n1', 'n2']);
});

test('a request that a node took is never sent a second time: nobody knows what became of it', async () => {
  let taken = 0;
  const breaks = nodeOf((request) => {
    taken += 1;
    request.socket.destroy();
  });
  await using balancer = await startBalancer(
    [await listen(breaks, 'n1'), await listen(nodeOf(answers('n2')), 'n2')],
    HEALTH,
  );
  const statuses = [await post(balancer.url), await post(balancer.url)].map(({ status }) => status);
  expect(new Set(statuses)).toEqual(new Set([200, 502]));
  expect(taken).toBe(1);
});

test('who waits for a node that falls silent is told so as soon as the checks have noticed', async () => {
  // Takes everything and answers nothing, its health neither.
  const silent = await listen(
    createTcpServer((socket) => socket.on('error', () => {})),
    'n1',
  );
  await using balancer = await startBalancer([silent], { ...HEALTH, timeoutMs: 100 });
  expect((await post(balancer.url)).status).toBe(502);
  await expect.poll(() => balancer.up()).toEqual([]);

  const refused = await post(balancer.url);
  expect(refused.status).toBe(503);
  expect(await refused.json()).toMatchObject({ code: 'unavailable' });
});
