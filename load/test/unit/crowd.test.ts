import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import { describe, expect, it } from 'vitest';

import { sendWave, type Wave } from '#src/crowd.ts';

describe('a wave', () => {
  it('is exactly one request per buyer, however many share a connection', async () => {
    const customers: string[] = [];
    const wave = await wavesAt((customer, response) => {
      customers.push(customer);
      refuse(response);
    });
    expect(customers).toHaveLength(50);
    expect(new Set(customers).size).toBe(50);
    expect(books(wave)).toEqual({ started: 50, answered: 50, strayAnswers: 0, neverAsked: 0 });
    expect(wave.client).toEqual({ sent: 50, answered: 50, timedOut: 0 });
  });

  it('fits when the buyers do not divide by the connections', async () => {
    const wave = await wavesAt((_customer, response) => refuse(response), { buyers: 23 });
    expect(books(wave)).toMatchObject({ started: 23, answered: 23 });
  });

  it('knows which requests a closed connection took with it, and gives the others their own answers', async () => {
    const dropped: string[] = [];
    const wave = await wavesAt((customer, response) => {
      if (!customer.endsWith('7')) return book(customer, response);
      dropped.push(customer);
      // A clean end with a request under way: the client counts no error.
      response.socket?.end();
    });
    const unanswered = wave.attempts.filter(({ answer }) => !answer).map(({ customer }) => customer);
    expect(unanswered.toSorted()).toEqual(dropped.toSorted());
    const answered = wave.attempts.filter(({ answer }) => answer);
    expect(answered.map(({ answer }) => answer?.booking?.customer)).toEqual(
      answered.map(({ customer }) => customer),
    );
    expect(books(wave)).toEqual({ started: 50, answered: 45, strayAnswers: 0, neverAsked: 0 });
  });

  it('measures from the request to its own answer, also after a lost one', async () => {
    let first = true;
    const wave = await wavesAt(
      (_customer, response) => {
        if (first) response.socket?.end();
        else refuse(response);
        first = false;
      },
      { buyers: 5, connections: 1 },
    );
    // One connection: each begins when the one before is over, so that no two of them share any time.
    const [, ...later] = wave.attempts;
    const times = later.flatMap(({ startedAtMs, answer }) => [startedAtMs, answer!.receivedAtMs]);
    expect(times).toHaveLength(8);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
  });

  it('is broken off when nobody answers, and says who never got to ask', async () => {
    const wave = await wavesAt(() => {}, { buyers: 100, timeoutMs: 1_000 });
    const { started, answered, neverAsked } = books(wave);
    expect(answered).toBe(0);
    expect(started).toBeLessThan(40);
    expect(started + neverAsked).toBe(100);
    expect(wave.client).toMatchObject({ sent: started, answered: 0 });
  });

  it('ends when nobody even listens', async () => {
    const wave = await sendWave({ ...defaults, url: 'http://127.0.0.1:1', buyers: buyers(20) });
    expect(books(wave)).toMatchObject({ answered: 0 });
  });
});

// Far from what an answer takes even on a busy machine: a time-out is never an accident here.
const defaults = { runId: 'cafe0001', connections: 10, quantity: 1, timeoutMs: 20_000, raceWindowMs: 0 };

type Respond = (customer: string, response: ServerResponse) => void;

/** A wave of 50 buyers over 10 connections, against a server that answers like this. */
async function wavesAt(
  respond: Respond,
  { buyers: size = 50, ...options }: { buyers?: number; connections?: number; timeoutMs?: number } = {},
): Promise<Wave> {
  const server = createServer((request, response) => {
    void readCustomer(request).then((customer) => respond(customer, response));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return await sendWave({ ...defaults, ...options, url, buyers: buyers(size) });
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

function buyers(size: number): { buyer: number; number: number }[] {
  return Array.from({ length: size }, (_, index) => ({ buyer: index + 1, number: 1 }));
}

function books(wave: Wave): { started: number; answered: number; strayAnswers: number; neverAsked: number } {
  const answered = wave.attempts.filter(({ answer }) => answer).length;
  return {
    started: wave.attempts.length,
    answered,
    strayAnswers: wave.strayAnswers,
    neverAsked: wave.neverAsked,
  };
}

function book(customer: string, response: ServerResponse): void {
  response
    .writeHead(201, { 'x-instance-id': 'replica-1' })
    .end(JSON.stringify({ bookingId: customer, customer }));
}

function refuse(response: ServerResponse): void {
  response.writeHead(409, { 'x-instance-id': 'replica-1' }).end('{"code":"sold_out"}');
}

async function readCustomer(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request) body += String(chunk);
  return (JSON.parse(body) as { customer: string }).customer;
}
