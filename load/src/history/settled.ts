import { agree, thousands } from '@lastseat/lab-frame/words.ts';

import type { Operation } from './operation.ts';

/** How the operations of unknown end were settled afterwards. */
export interface SettledCounts {
  unknown: number;
  /** Of those: they have a row in Postgres. */
  done: number;
  /** They have none, and the service has given them up. */
  notDone: number;
  /** They have none, and nobody waited long enough to say that they never will. */
  open: number;
  /** The service, asked for the request by its id, said the same. */
  lookedUp: number;
}

export function countSettled(history: readonly Operation[]): SettledCounts {
  const unknown = history.filter(({ outcome }) => outcome === 'unknown');
  const settledAs = (settled: Operation['settled']): number =>
    unknown.filter((operation) => operation.settled === settled).length;
  return {
    unknown: unknown.length,
    done: settledAs('done'),
    notDone: settledAs('not done'),
    open: settledAs('open'),
    lookedUp: unknown.filter(({ isLookedUp }) => isLookedUp).length,
  };
}

/** `3: 2 have a row in Postgres, 1 has none; 2 looked up by the request`. */
export function settledInWords({ unknown, done, notDone, open, lookedUp }: SettledCounts): string {
  const ends = [
    done > 0 ? `${thousands(done)} ${agree(done, 'has', 'have')} a row in Postgres` : '',
    notDone > 0 ? `${thousands(notDone)} ${agree(notDone, 'has', 'have')} none` : '',
    open > 0 ? `${thousands(open)} may still get one` : '',
  ].filter(Boolean);
  const asked = lookedUp > 0 ? `; ${thousands(lookedUp)} confirmed by GET /requests` : '';
  return `${thousands(unknown)}: ${ends.join(', ')}${asked}`;
}
