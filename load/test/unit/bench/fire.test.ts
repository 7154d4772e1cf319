import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { afterEach, expect, it } from 'vitest';

import { fire, type Shot } from '#src/bench/generator/fire.ts';

const servers: Server[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    const closed = once(server, 'close');
    server.close();
    await closed;
  }
});

it('ends with the answer to every request that it has started', async () => {
  let served = 0;
  const origin = await serve((_request, response) => {
    served += 1;
    setTimeout(() => response.writeHead(201).end('{}'), 20);
  });
  const volley = await fire(shotAt(origin, { timing: { warmUpMs: 50, windowMs: 100 } }));
  expect(volley.started).toBe(volley.answered);
  expect(volley.answered).toBe(served);
  expect(volley.statuses).toEqual({ 201: served });
});

it('counts in the window only what is answered between its edges', async () => {
  const edges: string[] = [];
  let isOpen = false;
  let answeredInside = 0;
  const origin = await serve((_request, response) => {
    if (isOpen) answeredInside += 1;
    setTimeout(() => response.writeHead(answeredInside % 2 === 0 ? 201 : 409).end(), 5);
  });
  const volley = await fire(shotAt(origin, { timing: { warmUpMs: 60, windowMs: 120 } }), (edge) => {
    edges.push(edge);
    isOpen = edge === 'opened';
  });
  const { booked, refused, latencyMs } = volley.window;
  expect(edges).toEqual(['opened', 'closed']);
  // A connection that asks before the edge may be answered after it.
  expect(Math.abs(booked + refused - answeredInside)).toBeLessThanOrEqual(4);
  expect(booked + refused).toBeLessThan(volley.answered);
  expect(latencyMs?.p50).toBeGreaterThanOrEqual(4);
});

it('sends no more and no fewer than it was asked for', async () => {
  const origin = await serve((_request, response) => response.writeHead(409).end());
  const volley = await fire(shotAt(origin, { timing: { requests: 101 } }));
  expect(volley).toMatchObject({ started: 101, answered: 101, statuses: { 409: 101 } });
  expect(volley.window).toMatchObject({ booked: 0, refused: 101, latencyMs: null });
});

it('does not hide a request whose connection was closed without an answer', async () => {
  let served = 0;
  const origin = await serve((request, response) => {
    served += 1;
    if (served === 10) request.socket.end();
    else setTimeout(() => response.writeHead(201).end(), 2);
  });
  const volley = await fire(shotAt(origin, { timing: { warmUpMs: 0, windowMs: 100 } }));
  expect(volley.started - volley.answered).toBe(1);
});

it('asks for every path and deals the connections out to every origin', async () => {
  const paths = Array.from({ length: 5 }, (_, index) => `/book/${index}`);
  const seen = new Set<string>();
  const note =
    (name: string): RequestListener =>
    (request, response) => {
      seen.add(`${name} ${request.url}`);
      response.writeHead(201).end();
    };
  const origins = [await serve(note('a')), await serve(note('b'))];
  await fire({ ...shotAt('', { timing: { warmUpMs: 0, windowMs: 100 } }), origins, paths });
  expect([...seen].sort()).toEqual(['a', 'b'].flatMap((name) => paths.map((path) => `${name} ${path}`)));
});

function shotAt(origin: string, rest: Pick<Shot, 'timing'>): Shot {
  return { origins: [origin], paths: ['/noop'], body: '{}', connections: 4, ...rest };
}

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
