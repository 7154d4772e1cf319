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
  /**
   * Somebody comes again and again until one is told that it is booked or sold out, or the time is over. Who is not
   * answered soon may wait for a replica that is paused: the next one comes without waiting for it.
   * @returns what was told
   */
  buy(event: number, withinMs: number): Promise<string>;
  /** Until nobody is under way any more. */
  allAnswered(): Promise<void>;
}

export interface Sent {
  exchange: Exchange;
  answered: Promise<void>;
}

// Longer than any answer of the stack can take: nginx gives up after ten seconds.
const TIMEOUT_MS = 12_000;
const PAUSE_MS = 30;
// Longer than the leases of those who hold the tickets.
const IMPATIENT_AFTER_MS = 1_500;

export async function openBuyers(
  { target }: Pick<Arena, 'target'>,
  strategy: string,
  tickets: readonly number[],
): Promise<Buyers> {
  const runId = randomBytes(4).toString('hex');
  const eventIds: number[] = [];
  for (const capacity of tickets) eventIds.push(await createEvent(target, `held ${strategy}`, capacity));
  const agent = new Agent({ connections: 64, pipelining: 1 });
  const book = createBook(runId);
  const guard = guardOf(strategy);
  const underWay: Promise<void>[] = [];

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
        [MARKS_HEADER]: '1',
        ...(raceWindowMs > 0 && { [RACE_WINDOW_HEADER]: String(raceWindowMs) }),
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
    underWay.push(answered);
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
      const asked: Exchange[] = [];
      for (;;) {
        const { exchange, answered } = send(event);
        asked.push(exchange);
        const patienceMs = Math.max(0, Math.min(IMPATIENT_AFTER_MS, untilMs - performance.now()));
        await Promise.race([answered, sleep(patienceMs, undefined, { ref: false })]);
        const told = asked.flatMap(({ answer }) => answer?.code ?? []);
        const end = told.find((code) => code === 'booked' || code === 'sold_out');
        if (end !== undefined) return end;
        if (performance.now() >= untilMs) return told.at(-1) ?? 'nothing';
        await sleep(PAUSE_MS);
      }
    },
    async allAnswered() {
      await Promise.all(underWay);
    },
    [Symbol.asyncDispose]: () => agent.destroy(),
  };
}
