import { randomBytes } from 'node:crypto';

import type { SteadyLoad } from '../drills/steady-load.ts';
import type { Ask, Client, Exchange } from '../generators/exchange.ts';
import { steadyLoop } from '../generators/steady-loop.ts';
import { createEvents, type Target } from '../target.ts';
import { requestsTo } from '../workloads/requests.ts';
import type { Workload } from '../workloads/workload.ts';

/**
 * Buyers who sell out one event after another. Nothing is given back, so that each 201 has its row for ever, and each event
 * that was sold out has sold as many as there were: what no drill with cancellations can ask for.
 */
export async function startSelling(target: Target, strategy: string, clients: number): Promise<SteadyLoad> {
  const runId = randomBytes(4).toString('hex');
  const tickets = Array.from({ length: eventsFor(clients) }, () => TICKETS);
  const created = { startMs: performance.now(), endMs: 0 };
  const eventIds = await createEvents(target, `swarm ${strategy}`, tickets);
  created.endMs = performance.now();
  const loop = steadyLoop({
    url: target.url,
    connections: clients,
    timeoutMs: TIMEOUT_MS,
    runId,
    paceMs: PACE_MS,
    client: buyersOf(eventIds.length, clients),
    request: requestsTo(strategy, eventIds),
    headers: { 'content-type': 'application/json' },
  });
  return { strategy, runId, eventIds, tickets, created, ...loop };
}

/** Some seconds' worth. */
const TICKETS = 400;
// Slow enough for a machine that has three engines beside all replicas.
const PACE_MS = 100;
// Longer than any answer of the stack can take: nginx gives up after ten seconds.
const TIMEOUT_MS = 12_000;
/** The longest that a scenario may take. */
const LONGEST_MS = 900_000;

function eventsFor(clients: number): number {
  return Math.ceil((clients * LONGEST_MS) / PACE_MS / TICKETS);
}

/** All of them want the same event, until as many as they are have heard that it is sold out. */
export function buyersOf(events: number, clients: number): () => Client {
  let current = 0;
  let refused = 0;
  return () => ({
    next: (): Ask => ({ operation: 'book', event: current, quantity: 1 }),
    told({ ask, answer }: Exchange) {
      if (answer?.code !== 'sold_out' || ask.event !== current) return;
      refused += 1;
      if (refused < clients || current === events - 1) return;
      current += 1;
      refused = 0;
    },
  });
}

/** Who was busy comes no more, and replicas come and go. */
export const SELLING: Pick<Workload, 'exempt'> = {
  exempt: [
    'never_sold_out',
    'contention_not_shown',
    'one_instance',
    'losers_on_one_instance',
    'replica_left_out',
    'not_in_postgres',
  ],
};
