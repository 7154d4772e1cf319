import {
  MAX_CAPACITY,
  MAX_RACE_WINDOW_MS,
  STRATEGY_NAMES,
  type StrategyName,
} from '@lastseat/booking/contract';
import { helpText, names, number, readTable, variablesOf } from '@lastseat/infra/command-line';

import { MOST_LANES } from './race.ts';

const STRATEGIES: StrategyName[] = ['no-lock', 'fenced-lock'];
export const TABLE = {
  strategy: names(STRATEGY_NAMES, { what: `who guards, by comma (default: ${STRATEGIES.join(',')})` }),
  tickets: number({ min: 1, max: MAX_CAPACITY, what: 'tickets there are (default: 1)' }),
  buyers: number({ min: 2, max: MOST_LANES, what: 'buyers, all at once (default: 9)' }),
  'race-window-ms': number({
    min: 0,
    max: MAX_RACE_WINDOW_MS,
    what: 'pause between reading the stock and writing it (default: 20)',
  }),
};

export const HELP = helpText({
  summary:
    'Records a race for the last ticket on the stack that is up, and draws it: who waited, read, wrote, and when.',
  examples: [
    ['make race', 'without a lock, and under the queue lock'],
    ['make race STRATEGY=no-lock,row-lock TICKETS=3 BUYERS=12', 'another one'],
  ],
  program: 'load/src/race/main.ts',
  table: TABLE,
  notes:
    'Exit code: 0 recorded; 1 nothing is running, or it tells no marks (is it in lab mode?); 2 a wrong option.',
});

export interface Options {
  help: boolean;
  strategies: StrategyName[];
  tickets: number;
  buyers: number;
  raceWindowMs: number;
}

export function readOptions(argv: readonly string[], env: NodeJS.ProcessEnv): Options {
  const given = readTable(TABLE, argv, env);
  return {
    help: given.help,
    strategies: given.strategy ?? STRATEGIES,
    tickets: given.tickets ?? 1,
    buyers: given.buyers ?? 9,
    raceWindowMs: given['race-window-ms'] ?? 20,
  };
}

/** Every variable that says something to this program. */
export const variables = (): string[] => variablesOf(TABLE);
