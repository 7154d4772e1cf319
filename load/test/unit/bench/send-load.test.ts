import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

import { afterEach, expect, it } from 'vitest';

import { sendLoad, type FixedLoad } from '#src/bench/generator/send-load.ts';

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
  const window = windowBySteps();
  let served = 0;
  const origin = await serve((_request, response) => {
    served += 1;
    if (served === 10) window.open();
    if (served === 30) window.close();
    setTimeout(() => response.writeHead(201).end('{}'), 20);
  });
  const result = await sendLoad(loadOn(origin), undefined, window.after);
  expect(result.started).toBe(result.answered);
  expect(result.answered).toBe(served);
  expect(result.statuses).toEqual({ 201: served });
});

it('counts in the window only what is answered between its edges', async () => {
  const window = windowBySteps();
  const edges: string[] = [];
  let served = 0;
  const origin = await serve((_request, response) => {
    served += 1;
    if (served === 20) window.open();
    if (served === 60) window.close();
    const status = served % 2 === 0 ? 201 : 409;
    setTimeout(() => response.writeHead(status).end(), 5);
  });
  const result = await sendLoad(loadOn(origin), (edge) => edges.push(edge), window.after);
  const { booked, refused, latencyMs } = result.window;
  expect(edges).toEqual(['opened', 'closed']);
  // A connection that asks before an edge may be answered after it, and there are four of them.
  expect(Math.abs(booked + refused - 40)).toBeLessThanOrEqual(4);
  expect(booked + refused).toBeLessThan(result.answered);
  expect(latencyMs?.p50).toBeGreaterThanOrEqual(4);
});

it('names every request by a key of its own, if it is to', async () => {
  const keys: (string | undefined)[] = [];
  const origin = await serve((request, response) => {
    keys.push(request.headersDistinct['idempotency-key']?.join());
    response.writeHead(201).end();
  });
  const keyed = { ...loadOn(origin, { requests: 60 }), hasKeys: true };
  // More than were made before, too.
  await sendLoad(keyed, undefined, undefined, 20);
  expect(new Set(keys).size).toBe(60);
  expect(keys).not.toContain(undefined);
  keys.length = 0;
  await sendLoad(loadOn(origin, { requests: 8 }));
  expect(new Set(keys)).toEqual(new Set([undefined]));
});

it('names every customer by a name of his own, if it is to, and changes nothing else', async () => {
  const bodies: string[] = [];
  const origin = await serve((request, response) => {
    void text(request).then((body) => {
      bodies.push(body);
      response.writeHead(201).end();
    });
  });
  const named = {
    ...loadOn(origin, { requests: 60 }),
    body: JSON.stringify({ customer: 'bench', quantity: 1 }),
    hasCustomers: true,
  };
  await sendLoad(named, undefined, undefined, 20);
  const sent = bodies.map((body) => JSON.parse(body) as { customer: string; quantity: number });
  expect(new Set(sent.map(({ customer }) => customer)).size).toBe(60);
  expect(sent.every(({ quantity }) => quantity === 1)).toBe(true);
});

it('sends no more and no fewer than it was asked for', async () => {
  const origin = await serve((_request, response) => response.writeHead(409).end());
  const result = await sendLoad(loadOn(origin, { requests: 101 }));
  expect(result).toMatchObject({ started: 101, answered: 101, statuses: { 409: 101 } });
  expect(result.window).toMatchObject({ booked: 0, refused: 101, latencyMs: null });
});

it('does not hide a request whose connection was closed without an answer', async () => {
  const window = windowBySteps();
  let served = 0;
  const origin = await serve((request, response) => {
    served += 1;
    if (served === 5) window.open();
    if (served === 30) window.close();
    if (served === 10) request.socket.end();
    else setTimeout(() => response.writeHead(201).end(), 2);
  });
  const result = await sendLoad(loadOn(origin), undefined, window.after);
  expect(result.started - result.answered).toBe(1);
});

it('asks for every path and deals the connections out to every origin', async () => {
  const window = windowBySteps();
  const paths = Array.from({ length: 5 }, (_, index) => `/book/${index}`);
  const wanted = ['a', 'b'].flatMap((name) => paths.map((path) => `${name} ${path}`));
  const seen = new Set<string>();
  const note =
    (name: string): RequestListener =>
    (request, response) => {
      seen.add(`${name} ${request.url}`);
      // A connection that never asks for one of them keeps this from ending, and the test from passing.
      if (seen.size === wanted.length && window.isAsked()) {
        window.open();
        window.close();
      }
      response.writeHead(201).end();
    };
  const origins = [await serve(note('a')), await serve(note('b'))];
  await sendLoad({ ...loadOn(''), origins, paths }, undefined, window.after);
  expect([...seen].sort()).toEqual(wanted);
});

/** A window that opens and closes when a test says so, however fast the machine is. */
function windowBySteps() {
  const steps: (() => void)[] = [];
  return {
    after: (step: () => void) => void steps.push(step),
    /** Whether the first answer has come, after which the edges are planned. */
    isAsked: () => steps.length > 0,
    open: () => steps[0]?.(),
    close: () => steps[1]?.(),
  };
}

function loadOn(
  origin: string,
  timing: FixedLoad['timing'] = { warmUpMs: 1_000, windowMs: 1_000 },
): FixedLoad {
  return { origins: [origin], paths: ['/noop'], body: '{}', connections: 4, timing };
}

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
