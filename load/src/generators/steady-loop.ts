import { setTimeout as sleep } from 'node:timers/promises';

import { Pool } from 'undici';

import { createBook, type Exchange, type Load, type Sent } from './exchange.ts';
import { sendOne } from './send-one.ts';

/** A load that goes on until somebody ends it. */
export interface SteadyLoop {
  /** Everything that was asked so far. */
  exchanges: Sent['exchanges'];
  /** What is asked now, and not answered yet. */
  underWay(): Exchange[];
  /** Nobody asks any more; what is under way is waited for. */
  end(): Promise<Sent>;
}

export type SteadyLoad = Pick<
  Load,
  'url' | 'connections' | 'timeoutMs' | 'runId' | 'client' | 'request' | 'headers'
> & {
  /** Of each client: from one request to the next, if the answer is there by then. */
  paceMs: number;
};

/**
 * As many clients as connections, each of which asks at its pace, and waits for each answer: the load is the same before a
 * fault and after it, and there are never more requests under way than clients, so that a search for an order of all
 * operations ends. The client is undici: whoever is cut off asks on.
 */
export function steadyLoop(load: SteadyLoad): SteadyLoop {
  const book = createBook(load.runId);
  const pool = new Pool(load.url, { connections: load.connections, pipelining: 1 });
  const ending = new AbortController();
  const current = new Map<number, Exchange>();
  const window = { fromMs: performance.now(), untilMs: Infinity };
  const clients = Array.from({ length: load.connections }, (_, index) => ask(index + 1));

  async function ask(number: number): Promise<void> {
    const client = load.client(number);
    // Not all at once: they would meet again and again.
    await rest((load.paceMs * (number - 1)) / load.connections);
    while (!ending.signal.aborted) {
      const startedAtMs = performance.now();
      const exchange = book.note(number, client.next(), startedAtMs, startedAtMs);
      current.set(number, exchange);
      await sendOne(pool, load, exchange, client);
      current.delete(number);
      await rest(Math.max(0, startedAtMs + load.paceMs - performance.now()));
    }
  }

  /** Ends early with the load. */
  async function rest(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: ending.signal }).catch(() => {});
  }

  return {
    exchanges: book.exchanges,
    underWay: () => [...current.values()],
    async end() {
      window.untilMs = performance.now();
      ending.abort();
      await Promise.all(clients);
      await pool.destroy();
      return {
        exchanges: book.exchanges,
        window,
        strayAnswers: 0,
        counted: null,
        offeredPerS: null,
        achievedPerS: null,
      };
    },
  };
}
