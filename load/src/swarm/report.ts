import type { Paint } from '@lastseat/lab-frame/paint.ts';
import { sum } from '@lastseat/lab-frame/statistics.ts';
import { nothing, table, whole } from '@lastseat/lab-frame/table.ts';
import { count } from '@lastseat/lab-frame/words.ts';

import type { Played } from './play.ts';

/** A line for each scenario: all its runs and guards together, and of times the longest. */
export function swarmTable(played: readonly Played[], paint: Paint): string {
  const scenarios = [...Map.groupBy(played, ({ scenario }) => scenario)];
  const rows = scenarios.map(([name, runs]) => {
    const guards = runs.flatMap(({ guards }) => guards);
    const total = (key: keyof (typeof guards)[number]['requests']): number =>
      sum(guards.map(({ requests }) => requests[key]));
    const broken = runs.filter((run) => faultsOf(run).length > 0).length;
    const within = runs.flatMap(({ within }) => within ?? []);
    return [
      name,
      broken === 0 ? paint('good', 'held') : paint('bad', `BROKE ${broken} of ${runs.length}`),
      whole(runs.length),
      whole(total('started')),
      whole(total('booked')),
      whole(total('refused')),
      `${whole(total('unknown'))} / ${whole(total('settledAsBooked'))}`,
      inSeconds(guards.map(({ failedForMs }) => failedForMs)),
      inSeconds(guards.map(({ throughput }) => throughput.withoutSaleMs)),
      inSeconds(runs.map(({ wholeAfterMs }) => wholeAfterMs)),
      within.length === 0
        ? nothing
        : `${sum(within.map(({ asked }) => asked))} / ${sum(within.map(({ booked }) => booked.length))}`,
    ];
  });
  const header = [
    '',
    'verdict',
    'runs',
    'requests',
    'booked',
    'busy or unavailable',
    'unknown / had booked',
    'failures for',
    'without a sale',
    'whole after',
    'cut off: asked / booked',
  ];
  const [first = '', ...lines] = table(header, rows);
  return [
    paint('label', first),
    ...lines.map((line, index) => [line].concat((scenarios[index]?.[1] ?? []).flatMap(remarks)).join('\n')),
  ].join('\n');
}

function remarks(run: Played, index: number): string[] {
  return faultsOf(run).map((fault) => `    run ${index + 1}: ${fault}`);
}

/** What was not as it was to be, a sentence each. */
export function faultsOf({ failure, guards }: Played): string[] {
  const failed = guards.flatMap(({ strategy, checks }) =>
    checks
      .filter(({ verdict }) => verdict === 'failed')
      .map(({ check, detail }) => `${strategy}, ${check}: ${detail}`),
  );
  return [...(failure === null ? [] : [failure]), ...failed];
}

function inSeconds(times: readonly number[]): string {
  const longest = Math.max(0, ...times);
  return longest === 0 ? nothing : `${(longest / 1_000).toFixed(1)} s`;
}

export function conclusion(played: readonly Played[], paint: Paint): string {
  const broken = played.filter((run) => faultsOf(run).length > 0).map(({ scenario }) => scenario);
  const runs = count(played.length, 'run');
  return broken.length === 0
    ? `${paint('good', 'PASS')}  ${runs}: nothing oversold, undersold, doubled or lost; no planned work failed a request.`
    : `${paint('bad', 'BROKE')}  ${broken.length} of ${runs}: ${[...new Set(broken)].join(', ')}.`;
}
