import { relative } from 'node:path';

import type { Paint } from '@lastseat/lab-frame/paint.ts';
import { count } from '@lastseat/lab-frame/words.ts';

import type { Operation } from '../history/operation.ts';
import type { Trial } from './attack.ts';
import type { StrategyOfFile } from './read-strategies.ts';

/** What became of one guard. Kept as `challenge.json`. */
export interface ChallengeOfStrategy extends StrategyOfFile {
  verdict: 'passed' | 'convicted' | 'not shown';
  trials: Trial[];
}

export function verdictOfAll(trials: readonly Trial[]): ChallengeOfStrategy['verdict'] {
  if (trials.some(({ verdict }) => verdict === 'convicted')) return 'convicted';
  return trials.some(({ verdict }) => verdict === 'not shown') ? 'not shown' : 'passed';
}

const PAINT = {
  passed: 'good',
  convicted: 'bad',
  'broken as it says': 'strong',
  'not shown': 'strong',
} as const;

/** One line for each attack, and below it why. */
export function trialLines({ trials }: ChallengeOfStrategy, paint: Paint): string[] {
  const width = Math.max(...trials.map(({ attack }) => attack.length));
  return trials.flatMap(({ attack, verdict, seen, detail, check }) => {
    const word = paint(PAINT[verdict], verdict === 'convicted' ? 'CONVICTED' : verdict);
    const blank = ' '.repeat(Math.max(0, LONGEST - verdict.length));
    const line = `  ${attack.padEnd(width)}  ${word}${blank}  ${paint('label', seen)}`.trimEnd();
    if (detail === null) return [line];
    return [line, `  ${' '.repeat(width)}  ${check === null ? '' : `${check}: `}${detail}`];
  });
}

const LONGEST = 'broken as it says'.length;

/** One sentence for whoever reads nothing else. */
export function conclusion({ name, guarantee, verdict, trials }: ChallengeOfStrategy, paint: Paint): string {
  const convicting = trials.filter((trial) => trial.verdict === 'convicted');
  const asItSays = trials.filter((trial) => trial.verdict === 'broken as it says');
  if (verdict === 'convicted') {
    const by = convicting.map(({ attack }) => attack).join(', ');
    return `${paint('bad', 'CONVICTED')}  ${name} promises "${guarantee}", and is broken by ${by}.`;
  }
  const rest =
    asItSays.length === 0
      ? ''
      : `; beyond its promise it is broken by ${asItSays.map(({ attack }) => attack).join(', ')}`;
  if (verdict === 'not shown')
    return `${paint('strong', 'NOT SHOWN')}  ${name}: one attack shows nothing${rest}.`;
  return `${paint('good', 'PASSED')}  ${name} holds what it promises, "${guarantee}", in ${count(trials.length, 'attack')}${rest}.`;
}

// What fits on a screen; the file has the rest.
const MOST_LINES = 8;

/** The operations of the first event that went wrong, as a person reads them. */
export function evidenceLines(operations: readonly Operation[], path: string, paint: Paint): string[] {
  const byEvent = [...Map.groupBy(operations, ({ event }) => event).values()];
  const event = byEvent.find(isOversold) ?? byEvent[0] ?? [];
  const told = event.filter(({ operation, outcome }) => operation !== 'book' || outcome !== 'rejected');
  const refused = event.length - told.length;
  const [create, ...others] = told;
  const last = others.pop();
  if (create === undefined || last === undefined) return [];
  const shown = others.slice(0, MOST_LINES);
  const left = others.length - shown.length;
  const startMs = create.startMs;
  return [
    paint('label', `  event ${create.event}        from ms     to ms   replica     token  customer`),
    ...[create, ...shown].map((operation) => operationLine(operation, startMs)),
    ...(left > 0 ? [`    and ${count(left, 'operation')} more`] : []),
    ...(refused > 0 ? [`    and ${count(refused, 'refusal')}`] : []),
    operationLine(last, startMs),
    paint(
      'label',
      `  check it yourself: node_modules/.bin/node load/src/history/main.ts --check ${relative(process.cwd(), path)}`,
    ),
  ];
}

function isOversold(operations: readonly Operation[]): boolean {
  return operations.some(({ free }) => free !== null && free < 0);
}

function operationLine(operation: Operation, zeroMs: number): string {
  const { startMs, endMs, instance, token, customer } = operation;
  const at = (ms: number | null): string => (ms === null ? '-' : (ms - zeroMs).toFixed(1)).padStart(9);
  const what = whatInWords(operation);
  const who = [(instance ?? 'Postgres').padEnd(10), token === null ? '' : `…${String(token).slice(-5)}`];
  return `    ${what.padEnd(14)}${at(startMs)} ${at(endMs)}   ${who[0]} ${(who[1] ?? '').padStart(6)}  ${customer ?? ''}`.trimEnd();
}

function whatInWords({ operation, quantity, free, outcome, answer }: Operation): string {
  if (operation === 'create') return count(quantity ?? 0, 'ticket');
  if (operation === 'count') return `${quantity} sold, ${free} free`;
  if (operation === 'read') return `read ${free}`;
  return `${operation}: ${outcome === 'unknown' ? 'unknown' : answer}`;
}
