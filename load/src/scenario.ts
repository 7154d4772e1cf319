import { STRATEGY_NAMES, type StrategyName } from '@lastseat/booking/contract';
import { UsageError } from '@lastseat/infra/command-line';
import { count } from '@lastseat/lab-frame/words.ts';

import type { Crowd } from './tally.ts';

/** One run to be made: a crowd, and the guard that it meets. */
export interface Scenario {
  guard: Guard;
  crowd: Crowd;
}

/** A way to book: the route that takes it and what may be expected of it. */
export interface Guard {
  name: string;
  /** As a person says it. */
  title: string;
  path(eventId: number): string;
  sells: 'exactly' | 'too many';
  /** What its bookings must be marked with. */
  strategy: string;
}

export type GuardName = StrategyName | 'with-lock';

/** The lock that the service takes by itself, and every strategy by its own name. */
export const GUARD_NAMES: readonly GuardName[] = ['no-lock', 'with-lock', ...STRATEGY_NAMES.slice(1)];

/** @param name also one of a file, which promises something, or there would be nothing to hold it to */
export function guardOf(name: GuardName | (string & {})): Guard {
  if (name === 'no-lock') {
    return {
      name,
      title: 'WITHOUT the lock',
      path: route('/book-no-lock'),
      sells: 'too many',
      strategy: name,
    };
  }
  if (name === 'with-lock') {
    return {
      name,
      title: 'WITH the lock',
      path: route('/book-with-lock'),
      sells: 'exactly',
      strategy: 'fenced-lock',
    };
  }
  return { name, title: `with ${name}`, path: route(`/book/${name}`), sells: 'exactly', strategy: name };
}

function route(prefix: string): Guard['path'] {
  return (eventId) => `${prefix}/${eventId}`;
}

export interface ScenarioWishes {
  guards: readonly GuardName[];
  tickets?: number | undefined;
  buyers?: number | undefined;
  connections?: number | undefined;
  quantity?: number | undefined;
  raceWindowMs?: number | undefined;
}

/** Every guard meets every crowd: the two of the default, or the one that was asked for. */
export function scenarios(wishes: ScenarioWishes): Scenario[] {
  const guards: readonly GuardName[] = wishes.guards.length > 0 ? wishes.guards : ['no-lock', 'with-lock'];
  const crowds =
    wishes.tickets === undefined && wishes.buyers === undefined
      ? [crowdOf({ ...wishes, tickets: 1, buyers: 100 }), crowdOf({ ...wishes, tickets: 100, buyers: 1_000 })]
      : [crowdOf(wishes)];
  return crowds.flatMap((crowd) => guards.map((name) => ({ guard: guardOf(name), crowd })));
}

// A connection is one buyer at the counter. More than this at once measures the machine's sockets, not the guard.
const DEFAULT_CONNECTIONS = 100;
// Ten for each ticket is a rush, and 10,000 the most that takes seconds and not minutes.
const DEFAULT_BUYERS = { least: 100, perTicket: 10, most: 10_000 };

function crowdOf(wishes: ScenarioWishes): Crowd {
  const tickets = wishes.tickets ?? 1;
  const { least, perTicket, most } = DEFAULT_BUYERS;
  const buyers = wishes.buyers ?? Math.min(most, Math.max(least, perTicket * tickets));
  const connections = wishes.connections ?? Math.min(DEFAULT_CONNECTIONS, buyers);
  if (connections > buyers) {
    throw new UsageError(
      `--connections ${connections}: at most one for each of ${count(buyers, 'buyer')} (--buyers)`,
    );
  }
  return {
    tickets,
    buyers,
    quantity: wishes.quantity ?? 1,
    connections,
    raceWindowMs: wishes.raceWindowMs ?? defaultRaceWindowMs(tickets),
  };
}

/**
 * The same window for every guard, so that nothing but the guard makes the difference. A guarded run pays for it
 * once per ticket, one after the other: it gets a second for all of them. Unguarded, 50 ms let a whole crowd in and
 * 1 ms still a few.
 */
function defaultRaceWindowMs(tickets: number): number {
  return Math.max(1, Math.min(50, Math.floor(1_000 / tickets)));
}
