import type { FindingKind } from '../checks/judge.ts';
import type { Client } from '../generators/exchange.ts';
import type { Outcome } from '../runs/run.ts';

/**
 * What is done to a service: which events there are, and what each client asks for. The generators send it, in a closed
 * or an open loop, and the checks say whether what came of it may be believed.
 */
export interface Workload {
  name: string;
  /** For the help: what is asked, and what it shows. */
  what: string;
  /** The tickets of each of its events. */
  tickets(wishes: Wishes): number[];
  /** Somebody has bought all of them before the first client comes. */
  isSoldOut?: boolean;
  /** A pause between reading the stock and writing it, so that a race is certain where nothing guards it. */
  raceWindowMs?: number;
  /** How many requests, unless somebody says how long; null where it is as many as a window has room for. */
  requests(wishes: Wishes): number | null;
  client(random: () => number, events: number, number: number): Client;
  /** The answers whose number in a second is its throughput. */
  counts: readonly Outcome[];
  /** What is right here and wrong elsewhere: findings that do not count, each for a reason that the workload tells. */
  exempt: readonly FindingKind[];
}

/** Null where the workload is to choose. */
export interface Wishes {
  tickets: number | null;
  buyers: number | null;
  connections: number;
}

/** Books one ticket of the first event, again and again. */
export const buyer = (): Client => ({ next: () => ({ operation: 'book', event: 0, quantity: 1 }) });
