import { setTimeout as sleep } from 'node:timers/promises';

import { Pool } from 'undici';

import { createBook, type Client, type Exchange } from '../generators/exchange.ts';
import { sendOne } from '../generators/send-one.ts';
import type { Target } from '../target.ts';
import { requestsTo } from '../workloads/requests.ts';
import type { MixedLoad } from './mixed-load.ts';

// Beyond those of the load, whose buyers are counted from 1.
const FIRST_BUYER = 900_000;
const TIMEOUT_MS = 12_000;
// Nothing strikes any more: nobody is refused for long.
const MOST_REFUSED = 20;
const PAUSE_MS = 50;
const NOBODY: Client = { next: () => ({ operation: 'read', event: 0 }) };

/** Somebody buys what is left of each event: then all of its tickets are sold, and the next one is told so. */
export async function sellOut(
  { url }: Target,
  { strategy, runId, eventIds }: Pick<MixedLoad, 'strategy' | 'runId' | 'eventIds'>,
): Promise<Exchange[]> {
  const book = createBook(runId);
  const pool = new Pool(url, { connections: 1 });
  const load = {
    request: requestsTo(strategy, eventIds),
    headers: { 'content-type': 'application/json' },
    timeoutMs: TIMEOUT_MS,
  };
  for (const event of eventIds.keys()) {
    let refused = 0;
    let isOver = false;
    while (!isOver && refused < MOST_REFUSED) {
      const buyer = { buyer: FIRST_BUYER + book.exchanges.length, number: 1 };
      const now = performance.now();
      const exchange = book.note(0, { operation: 'book', event, quantity: 1, buyer }, now, now);
      await sendOne(pool, load, exchange, NOBODY);
      const code = exchange.answer?.code;
      isOver = code === 'sold_out';
      if (isOver || code === 'booked') continue;
      refused += 1;
      await sleep(PAUSE_MS);
    }
  }
  await pool.destroy();
  return book.exchanges;
}
