import { median } from '@lastseat/lab-frame/statistics.ts';
import { table } from '@lastseat/lab-frame/table.ts';
import { count, thousands } from '@lastseat/lab-frame/words.ts';

import { BOUNDED_CONNECTIONS, boundsOf, SHARE_OF_NOOP } from '../bounds.ts';
import type {
  ExactRun,
  GuardName,
  Measurements,
  MessagesPerBooking,
  Rush,
  SweepStep,
} from '../measurements.ts';
import type { Section } from './section.ts';

/** Beside what was sold, what could have been: medians of the repeats. */
export function boundsTable(measurements: Pick<Measurements, 'cells' | 'commitCycles'>): Section[] {
  const bounds = boundsOf(measurements) ?? [];
  if (bounds.length === 0) return [];
  const cycleMs = median(bounds.map(({ commitCycleMs }) => commitCycleMs)) ?? 0;
  return [
    {
      title: `What bounds one hot event, ${BOUNDED_CONNECTIONS} connections`,
      lines: table(
        ['', 'bookings/s'],
        [
          ['booked at home', medianRate(bounds.map(({ booked }) => booked))],
          [
            `commits: the connections over two cycles of ${cycleMs.toFixed(1)} ms`,
            medianRate(bounds.map(({ byCommits }) => byCommits)),
          ],
          [`CPU: ${SHARE_OF_NOOP} of the no-op route`, medianRate(bounds.map(({ byCpu }) => byCpu))],
        ],
      ),
    },
  ];
}

function medianRate(perS: readonly number[]): string {
  return thousands(Math.round(median(perS) ?? 0));
}

/** How often one booking goes to Postgres and to Redis. */
export function messageTables(messages: readonly MessagesPerBooking[]): Section[] {
  const byCrowd = [...Map.groupBy(messages, ({ connections }) => connections)];
  return byCrowd.map(([connections, rows]) => ({
    title: `Messages for one booking, ${connections} connections`,
    lines: table(
      ['', 'SQL statements', 'round trips', 'Redis commands', 'round trips'],
      rows.map(({ guard, statements, postgresRoundTrips, redisCommands, redisRoundTrips }) => [
        guard,
        ...[statements, postgresRoundTrips, redisCommands, redisRoundTrips].map((number) =>
          number.toFixed(2),
        ),
      ]),
    ),
  }));
}

export function rushTable(rushes: readonly Rush[]): Section[] {
  const [first] = rushes;
  if (!first) return [];
  return [
    {
      title: `${thousands(first.buyers)} buyers for one ticket, ${first.connections} connections`,
      lines: table(
        ['', 'booked', 'refused/s', 'no-op route/s'],
        rushes.map(({ repeat, rows, refusalsPerS, noopPerS }) => [
          `${first.guard}, repeat ${repeat}`,
          thousands(rows),
          thousands(refusalsPerS),
          thousands(noopPerS),
        ]),
      ),
    },
  ];
}

/** One for each number of connections. */
export function sweepTables(sweeps: readonly SweepStep[]): Section[] {
  const replicas = [...new Set(sweeps.map((step) => step.replicas))].sort((a, b) => a - b);
  return [...Map.groupBy(sweeps, ({ connections }) => connections)].map(([connections, steps]) => ({
    title: `Answers per second with more or fewer replicas, ${connections} connections`,
    lines: table(
      ['replicas', ...replicas.map(String)],
      [...Map.groupBy(steps, ({ guard }) => guard)].flatMap(([guard, steps]) =>
        sweepRows(guard, replicas, steps),
      ),
    ),
  }));
}

function sweepRows(guard: GuardName, replicas: readonly number[], steps: readonly SweepStep[]): string[][] {
  const rates = replicas.map((number) => {
    const same = steps.filter((step) => step.replicas === number && step.void === null);
    return median(same.map(({ bookingsPerS }) => bookingsPerS)) ?? 0;
  });
  const best = Math.max(...rates);
  return [
    [guard === 'no-op' ? '(no-op route)' : guard, ...rates.map((rate) => thousands(Math.round(rate)))],
    ['  of its best', ...rates.map((rate) => `${Math.round((rate / best) * 100)} %`)],
  ];
}

export function exactnessTable(runs: readonly ExactRun[]): Section[] {
  if (runs.length === 0) return [];
  const rows = [...Map.groupBy(runs, ({ guard }) => guard)].map(([guard, runs]) => [
    guard,
    promise(runs[0]?.guarantee ?? 'none'),
    times(runs.filter((run) => run.void === null && run.confirmed === run.capacity)),
    times(runs.filter((run) => run.oversold > 0)),
    times(runs.filter((run) => run.undersold > 0)),
    times(runs.filter((run) => run.void !== null)),
  ]);
  const each = Math.max(...[...Map.groupBy(runs, ({ guard }) => guard).values()].map(({ length }) => length));
  return [
    {
      title: `Sold exactly: ${count(each, 'run')} of each, counted in Postgres`,
      lines: table(['', 'promises', 'exact', 'oversold', 'undersold', 'void'], rows),
    },
  ];
}

function times({ length }: readonly ExactRun[]): string {
  return length === 0 ? '-' : thousands(length);
}

function promise(guarantee: ExactRun['guarantee']): string {
  if (guarantee === 'always') return 'never to oversell';
  return guarantee === 'none' ? 'nothing' : 'unless paused';
}
