import { join } from 'node:path';

import type { StrategyName } from '@lastseat/booking/contract';
import { randomNumbers } from '@lastseat/lab-frame/random.ts';

import type { Arena } from '../faults/arena.ts';
import { writeHistory } from '../history/write-history.ts';
import { offeredStrategies } from '../target.ts';
import { cellOf, type Cell } from './cell.ts';
import type { Drill } from './drill.ts';
import type { Struck } from './judge-strike.ts';
import { clientsOf, heldAtOnce } from './loads.ts';
import type { Options } from './options.ts';
import { playDrill } from './play-drill.ts';
import { strikesOf } from './progress.ts';

/** A drill, struck as often as was asked for, and what became of each strategy. What broke one is kept. */
export async function playCells(
  arena: Arena,
  drill: Drill,
  {
    strategies,
    runs,
    seed,
    untilBroken = false,
  }: Pick<Options, 'strategies' | 'runs' | 'seed'> & Partial<Pick<Options, 'untilBroken'>>,
  folder: string,
  /** Called before each strike: how many are left, with this one. */
  onStrike: (left: number) => void = () => {},
): Promise<Cell[]> {
  const offered = await offeredStrategies(arena.stack.url);
  const guaranteeOf = (name: StrategyName) =>
    offered.find((strategy) => strategy.name === name)?.guarantee ?? 'none';
  const random = randomNumbers(seed + numberOf(drill.name));
  const strikes: Struck[][] = [];
  const done = (): number =>
    drill.holds
      ? Math.min(
          ...strategies.map((_, index) =>
            strikes.reduce((sum, all) => sum + (all[index]?.held.struck ?? 0), 0),
          ),
        )
      : strikes.length;
  const histories = new Map<string, string[]>();
  const cells = (): Cell[] =>
    strategies.map((strategy, index) =>
      cellOf(
        drill,
        { strategy, guarantee: guaranteeOf(strategy) },
        strikes.flatMap((all) => all[index] ?? []),
        histories.get(strategy) ?? [],
      ),
    );
  const isOver = (): boolean =>
    done() >= runs ||
    strikes.length >= MOST_STRIKES_A_RUN * runs ||
    arena.signal.aborted ||
    (untilBroken && cells().some(({ verdict }) => verdict === 'broke'));
  for (let strike = 1; !isOver(); strike += 1) {
    onStrike(strikesOf(drill, { strategies, runs: runs - done() }));
    const struck = await playDrill(arena, drill, {
      strategies,
      clients: clientsOf(strategies.length),
      held: Array.from({ length: heldAtOnce(strategies.length) }, () => 1),
      seed: seed + strike,
      random,
    });
    // One that was cut short has had neither its time nor, where the stack is ending too, its servers.
    if (arena.signal.aborted) break;
    strikes.push(struck);
    for (const one of struck) {
      const file = keep(folder, drill, one, strike);
      if (file !== null) histories.set(one.strategy, [...(histories.get(one.strategy) ?? []), file]);
    }
  }
  return strikes.length === 0 ? [] : cells();
}

// Of what is never where it is to be struck there may be none.
const MOST_STRIKES_A_RUN = 3;

function keep(
  folder: string,
  { name }: Drill,
  { strategy, checks, operations }: Struck,
  strike: number,
): string | null {
  if (!checks.some(({ verdict }) => verdict === 'failed')) return null;
  const file = `history-${name}-${strategy}-${strike}.jsonl`;
  using history = writeHistory(join(folder, file));
  for (const operation of operations) history.append(operation);
  return file;
}

/** Each drill draws numbers of its own, whatever was played before it. */
function numberOf(text: string): number {
  return Buffer.from(text).reduce((sum, byte) => (sum * 31 + byte) | 0, 0);
}
