import { setTimeout as sleep } from 'node:timers/promises';

import { Pool } from 'undici';

import { createBook, type Client, type Load, type Sent } from './exchange.ts';
import { sendOne } from './send-one.ts';

export interface Arrivals {
  perS: number;
  /** `constant`: evenly spaced. `poisson`: as those of buyers who know nothing of each other. */
  pattern: 'constant' | 'poisson';
  random: () => number;
}

/**
 * Requests at set times, whether or not earlier ones are answered, as buyers come: for how long an answer takes. A
 * closed loop sends less where the service is slow, and so measures best where it is worst; here latency runs from the
 * time that a request was to be sent, also if every connection was taken or the generator itself was late.
 */
export async function openLoop(load: Load, arrivals: Arrivals): Promise<Sent> {
  const { timing } = load;
  const total = 'requests' in timing ? timing.requests : Infinity;
  const lastsMs = 'requests' in timing ? Infinity : timing.warmUpMs + timing.windowMs;
  const book = createBook(load.runId);
  const clients = new Map<number, Client>();
  const underWay = new Set<Promise<void>>();
  await using pool = closing(new Pool(load.url, { connections: load.connections, pipelining: 1 }));

  const startMs = performance.now();
  const window = { fromMs: startMs, untilMs: startMs + lastsMs };
  let offered = 0;
  let openedAt = 0;
  let isOpen = false;
  const open = (): void => {
    isOpen = true;
    openedAt = offered;
    window.fromMs = performance.now();
    load.onEdge('opened');
  };
  if ('requests' in timing) open();
  const opensAtMs = startMs + ('requests' in timing ? 0 : timing.warmUpMs);

  let dueMs = startMs;
  while (offered < total && dueMs < startMs + lastsMs && !load.signal?.aborted) {
    // The time may have come for several: timers are not more precise than a millisecond.
    await sleep(Math.max(0, dueMs - performance.now()), undefined, { signal: load.signal }).catch(() => {});
    while (dueMs <= performance.now() && offered < total && dueMs < startMs + lastsMs) {
      if (!isOpen && dueMs >= opensAtMs) open();
      offered += 1;
      if (underWay.size < MOST_UNDER_WAY) send(dueMs);
      dueMs += gapMs(arrivals);
    }
  }
  window.untilMs = performance.now();
  load.onEdge('closed');
  await Promise.all(underWay);

  const seconds = (window.untilMs - window.fromMs) / 1_000;
  const sentInWindow = book.exchanges.filter(({ startedAtMs }) => startedAtMs >= window.fromMs).length;
  return {
    exchanges: book.exchanges,
    window,
    strayAnswers: 0,
    counted: null,
    offeredPerS: (offered - openedAt) / seconds,
    achievedPerS: sentInWindow / seconds,
  };

  function send(intendedAtMs: number): void {
    const number = 1 + (offered % load.connections);
    const client = clients.get(number) ?? load.client(number);
    clients.set(number, client);
    const ask = client.next();
    // Of several at a time each is a client of its own: one client has one request under way.
    const exchange = book.note(book.exchanges.length + 1, ask, intendedAtMs, performance.now());
    const done = sendOne(pool, load, exchange, client).finally(() => underWay.delete(done));
    underWay.add(done);
  }
}

// What is offered beyond this is not sent any more: the service has stopped, and memory is not without end.
const MOST_UNDER_WAY = 20_000;

function gapMs({ perS, pattern, random }: Arrivals): number {
  const mean = 1_000 / perS;
  return pattern === 'constant' ? mean : -Math.log(1 - random()) * mean;
}

function closing(pool: Pool): Pick<Pool, 'request'> & AsyncDisposable {
  return { request: pool.request.bind(pool), [Symbol.asyncDispose]: () => pool.destroy() };
}
