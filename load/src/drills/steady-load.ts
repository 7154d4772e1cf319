import { randomBytes } from 'node:crypto';

import { randomNumbers } from '@lastseat/lab-frame/random.ts';

import type { Ask, Client, Exchange } from '../generators/exchange.ts';
import { steadyLoop, type SteadyLoop } from '../generators/steady-loop.ts';
import type { Span } from '../history/operations.ts';
import { createEvents, type Target } from '../target.ts';
import { requestsTo } from '../workloads/requests.ts';
import { spread } from '../workloads/spread.ts';
import { storm } from '../workloads/storm.ts';
import type { Workload } from '../workloads/workload.ts';

/**
 * Buyers who come all the time: each books until it has a few tickets, gives one back, books again, and looks how many there
 * are. There are nearly enough for everybody, so that the event is sold out now and then, and yet never for long: as long as
 * the service works, somebody buys.
 */
export interface SteadyLoad extends SteadyLoop {
  strategy: string;
  runId: string;
  eventIds: readonly number[];
  tickets: readonly number[];
  created: Span;
}

const OWN_AT_MOST = 3;
const READS = 0.1;
const PACE_MS = 40;
// Longer than any answer of the stack can take: nginx gives up after ten seconds.
const TIMEOUT_MS = 12_000;

export function startLoad(
  target: Target,
  strategy: string,
  { clients, seed }: { clients: number; seed: number },
): Promise<SteadyLoad> {
  return startSteadyLoad(target, {
    strategy,
    clients,
    paceMs: PACE_MS,
    events: `drill ${strategy}`,
    tickets: [Math.max(1, (OWN_AT_MOST - 1) * clients)],
    client: (number) => buyer(randomNumbers(seed * MOST_CLIENTS + number)),
  });
}

interface Buyers {
  strategy: string;
  clients: number;
  paceMs: number;
  /** What the events are called, and how many tickets each has. */
  events: string;
  tickets: readonly number[];
  client(number: number): Client;
}

/** Buyers who come all the time, for events of their own. */
export async function startSteadyLoad(
  target: Target,
  { strategy, clients, paceMs, events, tickets, client }: Buyers,
): Promise<SteadyLoad> {
  const runId = randomBytes(4).toString('hex');
  const created = { startMs: performance.now(), endMs: 0 };
  const eventIds = await createEvents(target, events, tickets);
  created.endMs = performance.now();
  const loop = steadyLoop({
    url: target.url,
    connections: clients,
    timeoutMs: TIMEOUT_MS,
    runId,
    paceMs,
    client,
    request: requestsTo(strategy, eventIds),
    headers: { 'content-type': 'application/json' },
  });
  return { strategy, runId, eventIds, tickets, created, ...loop };
}

const MOST_CLIENTS = 1_009;

export function buyer(random: () => number) {
  const own: string[] = [];
  return {
    next(): Ask {
      if (random() < READS) return { operation: 'read', event: 0 };
      const bookingId =
        own.length >= OWN_AT_MOST || random() * OWN_AT_MOST < own.length ? own.shift() : undefined;
      if (bookingId !== undefined) return { operation: 'cancel', event: 0, quantity: 1, bookingId };
      return { operation: 'book', event: 0, quantity: 1 };
    },
    told({ ask, answer }: Exchange) {
      if (ask.operation === 'book' && answer?.booking) own.push(answer.booking.bookingId);
      // It was told that nothing was written: it has the ticket still, and gives it back another time.
      if (ask.operation === 'cancel' && (answer?.code === 'busy' || answer?.code === 'unavailable')) {
        own.push(ask.bookingId);
      }
    },
  };
}

/** What is to be true of such a load is what is to be true of a storm; but replicas come and go. */
export const STEADY: Pick<Workload, 'exempt'> = { exempt: [...storm.exempt, 'not_in_postgres'] };

/** The same of buyers who are no crowd: each meets few others, or none. */
export const NO_CROWD: Workload['exempt'] = [...spread.exempt, 'not_in_postgres'];
