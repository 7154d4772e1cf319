import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import { MARKS_HEADER, RACE_WINDOW_HEADER } from '@lastseat/booking/contract';
import { Agent, request } from 'undici';

import { readAnswer } from '../answer.ts';
import { bodyOf, createBook, match, type Exchange } from '../generators/exchange.ts';
import { guardOf } from '../scenario.ts';
import { createEvent } from '../target.ts';
import type { Arena } from './arena.ts';

/** Single buyers, asked one by one, through nginx: for what has to happen in a certain order. */
export interface Buyers extends AsyncDisposable {
  runId: string;
  eventIds: readonly number[];
  tickets: readonly number[];
  /** Everything that was asked so far. */
  exchanges: Exchange[];
  /** Sends a booking, and returns at once. @param event its position */
  send(event: number, raceWindowMs?: number): Sent;
  /** Comes again until told that it is booked or sold out, or the time is over. @returns what it was told last */
  buy(event: number, withinMs: number): Promise<string>;
}

export interface Sent {
  exchange: Exchange;
  answered: Promise<void>;
}

// Longer than any answer of the stack can take: nginx gives up after ten seconds.
const TIMEOUT_MS = 12_000;
const PAUSE_MS = 30;

export async function openBuyers(
  { target }: Pick<Arena, 'target'>,
  strategy: string,
  tickets: readonly number[],
): Promise<Buyers> {
  const runId = randomBytes(4).toString('hex');
  const eventIds: number[] = [];
  for (const capacity of tickets) eventIds.push(await createEvent(target, `challenge ${strategy}`, capacity));
  const agent = new Agent({ connections: 64, pipelining: 1 });
  const book = createBook(runId);
  const guard = guardOf(strategy);

  function send(event: number, raceWindowMs = 0): Sent {
    const now = performance.now();
    const client = book.exchanges.length + 1;
    const exchange = book.note(client, { operation: 'book', event, quantity: 1 }, now, now);
    const url = new URL(guard.path(eventIds[event] ?? 0), target.url);
    const answered = request(url, {
      dispatcher: agent,
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(raceWindowMs > 0 && { [MARKS_HEADER]: '1', [RACE_WINDOW_HEADER]: String(raceWindowMs) }),
      },
      body: bodyOf(exchange),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    }).then(
      async ({ statusCode, headers, body }) => {
        const text = await body.text();
        match(exchange, readAnswer(statusCode, text, headers, performance.now()), text);
      },
      () => {}, // it was not answered: it stays of unknown end
    );
    return { exchange, answered };
  }

  return {
    runId,
    eventIds,
    tickets,
    exchanges: book.exchanges,
    send,
    async buy(event, withinMs) {
      const untilMs = performance.now() + withinMs;
      for (;;) {
        const { exchange, answered } = send(event);
        await answered;
        const told = exchange.answer?.code ?? 'nothing';
        const isOver = told === 'booked' || told === 'sold_out' || performance.now() > untilMs;
        if (isOver) return told;
        await sleep(PAUSE_MS);
      }
    },
    [Symbol.asyncDispose]: () => agent.destroy(),
  };
}
