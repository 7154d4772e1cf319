import { UserError } from '@lastseat/infra/command-line';

import { readAnswer } from '../answer.ts';
import { bodyOf, createBook, match, type Exchange, type Load } from '../generators/exchange.ts';
import type { Target } from '../target.ts';

const TIMEOUT_MS = 12_000;

/** Buys every ticket of every event, one after the other. */
export async function sellOut(
  target: Target,
  request: Load['request'],
  tickets: readonly number[],
  runId: string,
): Promise<Exchange[]> {
  // Of another name than the buyers that come after it, and still one of this run.
  const book = createBook(runId);
  for (const [event, capacity] of tickets.entries()) {
    for (let left = capacity; left > 0; left -= 1) {
      const ask = { operation: 'book', event, quantity: 1 } as const;
      const now = performance.now();
      const exchange = book.note(0, ask, now, now);
      exchange.customer += '-before';
      const { method, path } = request(ask);
      const response = await fetch(new URL(path, target.url), {
        method,
        headers: { 'content-type': 'application/json' },
        body: bodyOf(exchange),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      const body = await response.text();
      const headers = Object.fromEntries(response.headers);
      match(exchange, readAnswer(response.status, body, headers, performance.now()), body);
      if (response.status !== 201) {
        throw new UserError(
          `the tickets could not be sold beforehand: POST ${path} answered ${response.status}`,
        );
      }
    }
  }
  return book.exchanges;
}
