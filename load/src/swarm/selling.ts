import { NO_CROWD, startSteadyLoad, type SteadyLoad } from '../drills/steady-load.ts';
import type { Ask, Client, Exchange } from '../generators/exchange.ts';
import type { Target } from '../target.ts';
import type { Workload } from '../workloads/workload.ts';

/**
 * Buyers who sell out one event after another. Nothing is given back, so that each 201 has its row for ever, and each event
 * that was sold out has sold as many as there were: what no drill with cancellations can ask for.
 */
export function startSelling(target: Target, strategy: string, clients: number): Promise<SteadyLoad> {
  const events = eventsFor(clients);
  return startSteadyLoad(target, {
    strategy,
    clients,
    paceMs: PACE_MS,
    events: `swarm ${strategy}`,
    tickets: Array.from({ length: events }, () => TICKETS),
    client: buyersOf(events, clients),
  });
}

/** Some seconds' worth. */
const TICKETS = 400;
// Slow enough for a machine that has three engines beside all replicas.
const PACE_MS = 100;
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
export const SELLING: Pick<Workload, 'exempt'> = { exempt: NO_CROWD };
