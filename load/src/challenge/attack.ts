import type { Guarantee } from '@lastseat/booking/contract';

import type { Arena } from '../faults/arena.ts';
import type { Operation } from '../history/operation.ts';
import type { CheckVerdict } from '../runs/run.ts';
import type { StrategyOfFile } from './read-strategies.ts';

/** One thing that is done to a guard, and what came of it. */
export interface Attack {
  name: string;
  /** In one sentence, for the help. */
  what: string;
  /** A guard that promises less may break under it. */
  breaks: readonly Guarantee[];
  /** How long it takes, about. */
  expectedMs: number;
  run(arena: Arena, strategy: StrategyOfFile): Promise<Judged>;
}

export interface Judged {
  /** What happened, in a few words. */
  seen: string;
  checks: readonly CheckVerdict[];
  /** Empty where nobody came through the front. */
  operations: readonly Operation[];
}

/** What became of one attack. */
export interface Trial {
  attack: string;
  verdict: 'passed' | 'convicted' | 'broken as it says' | 'not shown';
  seen: string;
  /** The check that failed first, the gravest. */
  check: string | null;
  detail: string | null;
  checks: readonly CheckVerdict[];
  /** The name of a file beside challenge.json. */
  history: string | null;
}

export function verdictOf(
  { name, breaks }: Pick<Attack, 'name' | 'breaks'>,
  guarantee: Guarantee,
  { seen, checks }: Pick<Judged, 'seen' | 'checks'>,
): Omit<Trial, 'history'> {
  const failed = checks.find(({ verdict }) => verdict === 'failed');
  const trial = { attack: name, seen, check: failed?.check ?? null, detail: failed?.detail ?? null, checks };
  if (failed) {
    return { ...trial, verdict: breaks.includes(guarantee) ? 'broken as it says' : 'convicted' };
  }
  const missing = checks.find(({ check, verdict }) => check === SHOWN && verdict === 'not shown');
  if (missing) return { ...trial, verdict: 'not shown', detail: missing.detail };
  return { ...trial, verdict: 'passed' };
}

/** The check that says whether an attack has struck where it was to strike. */
export const SHOWN = 'struck';
