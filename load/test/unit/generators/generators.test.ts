import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import { randomNumbers } from '@lastseat/lab-frame/random.ts';
import { expect, it } from 'vitest';

import { closedLoop } from '#src/generators/closed-loop.ts';
import { outcomeOf, type Load } from '#src/generators/exchange.ts';
import { openLoop } from '#src/generators/open-loop.ts';
import { buyer } from '#src/workloads/workload.ts';

it('a closed loop sends so many requests, notes each of them, and tells its edges', async () => {
  await using server = await serve((_request, response) => refuse(response));
  const edges: string[] = [];
  const load = loadOn(server.url, { timing: { requests: 100 }, onEdge: (edge) => edges.push(edge) });
  const sent = await closedLoop(load);
  expect(sent.exchanges).toHaveLength(100);
  expect(new Set(sent.exchanges.map(({ customer }) => customer)).size).toBe(100);
  expect(new Set(sent.exchanges.map(({ client }) => client)).size).toBe(8);
  expect(sent.exchanges.every((exchange) => outcomeOf(exchange) === 'refused')).toBe(true);
  expect(sent.counted).toEqual({ sent: 100, answered: 100, timedOut: 0 });
  expect(edges).toEqual(['opened', 'closed']);
});

it('a closed loop notes a request whose connection is cut as one of unknown end', async () => {
  let asked = 0;
  await using server = await serve((request, response) => {
    asked += 1;
    if (asked === 20) request.socket.destroy();
    else refuse(response);
  });
  const sent = await closedLoop(loadOn(server.url, { timing: { requests: 60 } }));
  const outcomes = Map.groupBy(sent.exchanges, outcomeOf);
  expect(outcomes.get('unknown')).toHaveLength(1);
  expect(sent.exchanges.length).toBeGreaterThanOrEqual(60);
  expect(sent.counted!.sent).toBe(sent.exchanges.length);
});

it('a closed loop with a window waits for the answers that it closes upon', async () => {
  await using server = await serve((_request, response) => refuse(response));
  const sent = await closedLoop(loadOn(server.url, { timing: { warmUpMs: 50, windowMs: 100 } }));
  expect(sent.exchanges.every(({ answer }) => answer !== null)).toBe(true);
  expect(sent.window.untilMs - sent.window.fromMs).toBeGreaterThanOrEqual(99);
  expect(sent.counted!.answered).toBe(sent.exchanges.length);
});

it.each(['closed', 'open'] as const)(
  'a %s loop that is interrupted in a window of minutes ends when all that it has asked is answered',
  async (kind) => {
    const interruption = new AbortController();
    let asked = 0;
    await using server = await serve((_request, response) => {
      refuse(response);
      asked += 1;
      if (asked === 20) interruption.abort();
    });
    const load = loadOn(server.url, {
      timing: { warmUpMs: 0, windowMs: 600_000 },
      signal: interruption.signal,
    });
    const sent = await (kind === 'closed'
      ? closedLoop(load)
      : openLoop(load, { perS: 500, pattern: 'constant', random: randomNumbers(1) }));
    expect(sent.exchanges.length).toBeGreaterThanOrEqual(20);
    expect(sent.exchanges.every(({ answer }) => answer !== null)).toBe(true);
  },
);

it('an open loop goes on sending while nobody answers, and times from when it was to send', async () => {
  const held: ServerResponse[] = [];
  let isOpen = false;
  await using server = await serve((_request, response) => {
    if (isOpen) refuse(response);
    else held.push(response);
    // Two connections are all there are: everybody else waits for them until they are let go.
    if (held.length === 2 && !isOpen) {
      isOpen = true;
      setTimeout(() => held.forEach(refuse), 300);
    }
  });
  const load = loadOn(server.url, { connections: 2, timing: { requests: 100 } });
  const sent = await openLoop(load, { perS: 1_000, pattern: 'constant', random: randomNumbers(1) });
  expect(sent.exchanges).toHaveLength(100);
  expect(sent.exchanges.every((exchange) => outcomeOf(exchange) === 'refused')).toBe(true);
  const [first, last] = [sent.exchanges[0]!, sent.exchanges.at(-1)!];
  expect(last.intendedAtMs - first.intendedAtMs).toBeCloseTo(99, 3);
  // It was to be sent 99 ms after the first, and waited for the connections for the rest of the 300.
  expect(last.answer!.receivedAtMs - last.intendedAtMs).toBeGreaterThan(150);
  expect(sent.exchanges.every(({ startedAtMs, intendedAtMs }) => startedAtMs >= intendedAtMs)).toBe(true);
});

it('buyers who know nothing of each other come at random, at the rate that was asked for', async () => {
  await using server = await serve((_request, response) => refuse(response));
  const load = loadOn(server.url, { timing: { requests: 400 } });
  const sent = await openLoop(load, { perS: 2_000, pattern: 'poisson', random: randomNumbers(7) });
  const times = sent.exchanges.map(({ intendedAtMs }) => intendedAtMs);
  const gaps = times.slice(1).map((time, index) => time - times[index]!);
  const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
  const variance = gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length;
  expect(mean).toBeCloseTo(0.5, 1);
  // Exponential: as spread as it is long.
  expect(Math.sqrt(variance) / mean).toBeGreaterThan(0.8);
  expect(Math.sqrt(variance) / mean).toBeLessThan(1.25);
});

function loadOn(url: string, changes: Partial<Load>): Load {
  return {
    url,
    connections: 8,
    timing: { requests: 10 },
    timeoutMs: 5_000,
    runId: '0badcafe',
    client: buyer,
    request: () => ({ method: 'POST', path: '/book/row-lock/1' }),
    headers: { 'content-type': 'application/json' },
    onEdge: () => {},
    ...changes,
  };
}

function refuse(response: ServerResponse): void {
  response.writeHead(409, { 'content-type': 'application/problem+json', 'x-instance-id': 'one' });
  response.end(JSON.stringify({ code: 'sold_out', instanceId: 'one' }));
}

async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const server = createServer((request, response) => {
    request.resume().on('end', () => answer(request, response));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
