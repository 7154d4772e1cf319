import { join } from 'node:path';

import type { StrategyName } from '@lastseat/booking/contract';
import { randomNumbers } from '@lastseat/lab-frame/random.ts';

import type { Arena } from '../faults/arena.ts';
import { writeHistory } from '../history/write-history.ts';
import { offeredStrategies } from '../target.ts';
import { cellOf, type Cell } from './cell.ts';
import type { Drill } from './drill.ts';
import type { Struck } from './judge-strike.ts';
import type { Options } from './options.ts';
import { playDrill } from './play-drill.ts';

// Together: more would measure the machine, not the fault.
const CLIENTS = 24;
const LEAST_CLIENTS = 3;
// Some guards hold a connection to Postgres with each booking, of which a replica has ten.
const HELD = 24;
const LEAST_HELD = 4;

/** A drill, struck as often as was asked for, and what became of each strategy. What broke one is kept. */
export async function playCells(
  arena: Arena,
  drill: Drill,
  { strategies, runs, seed }: Pick<Options, 'strategies' | 'runs' | 'seed'>,
  folder: string,
): Promise<Cell[]> {
  const offered = await offeredStrategies(arena.stack.url);
  const guaranteeOf = (name: StrategyName) =>
    offered.find((strategy) => strategy.name === name)?.guarantee ?? 'none';
  const random = randomNumbers(seed + numberOf(drill.name));
  const clients = Math.max(LEAST_CLIENTS, Math.floor(CLIENTS / strategies.length));
  const atOnce = Math.max(LEAST_HELD, Math.floor(HELD / strategies.length));
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
  for (
    let strike = 1;
    done() < runs && strike <= MOST_STRIKES_A_RUN * runs && !arena.signal.aborted;
    strike += 1
  ) {
    const struck = await playDrill(arena, drill, {
      strategies,
      clients,
      held: Array.from({ length: atOnce }, () => 1),
      seed: seed + strike,
      random,
    });
    strikes.push(struck);
    for (const one of struck) {
      const file = keep(folder, drill, one, strike);
      if (file !== null) histories.set(one.strategy, [...(histories.get(one.strategy) ?? []), file]);
    }
  }
  if (strikes.length === 0) return [];
  return strategies.map((strategy, index) =>
    cellOf(
      drill,
      { strategy, guarantee: guaranteeOf(strategy) },
      strikes.flatMap((all) => all[index] ?? []),
      histories.get(strategy) ?? [],
    ),
  );
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
