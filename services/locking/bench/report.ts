import { figureLines } from '@lastseat/lab-frame/figures/figure-lines.ts';
import type { Figure } from '@lastseat/lab-frame/figures/figure.ts';
import type { Paint } from '@lastseat/lab-frame/paint.ts';
import { fixed, nothing, number, table, whole } from '@lastseat/lab-frame/table.ts';

import type { Contender } from './contender.ts';
import { control, leftOut } from './contenders.ts';
import { whyFailed } from './failures.ts';
import { whyVoid, type Measurement } from './measurement.ts';
import { runsOf, type CrowdMeasurement, type Results } from './results.ts';
import { spread } from './statistics.ts';
import type { Workload } from './workloads.ts';

/** One table for each workload: a line per contender, medians of the repeats. */
export function workloadTables(
  results: Results,
  workloads: readonly Workload[],
  contenders: readonly Contender[],
  paint: Paint,
): string {
  const tables = workloads.flatMap((workload) =>
    workload.sectionsMs.map((sectionMs) => {
      const lines =
        workload.key === 'hand-over'
          ? handOverRows(results, workload, sectionMs, contenders, paint)
          : runRows(results, workload, sectionMs, contenders, paint);
      const section = sectionMs === 0 ? 'empty critical section' : `critical section of ${sectionMs} ms`;
      return titled(`${workload.title}, ${section}`, lines, paint);
    }),
  );
  return tables.join('\n\n');
}

function runRows(
  results: Results,
  workload: Workload,
  sectionMs: number,
  contenders: readonly Contender[],
  paint: Paint,
): string[] {
  const header = [
    '',
    'grants/s',
    'min .. max',
    'wait p50 ms',
    'p99',
    'max',
    'Jain',
    'trips',
    'Redis µs',
    'clients µs',
  ];
  const rows = contenders.map((contender) => {
    const runs = runsOf(results, contender.key, workload.key, sectionMs);
    const of = (value: (run: Measurement) => number) => spread(runs.map(value));
    const rate = of((run) => run.grantsPerSecond);
    const numbers = [
      whole(rate.median),
      paint('label', runs.length > 1 ? `${whole(rate.min)} .. ${whole(rate.max)}` : ''),
      number(of((run) => run.waitMs.p50).median),
      number(of((run) => run.waitMs.p99).median),
      number(of((run) => run.waitMs.max).median),
      fixed(of((run) => run.jain).median, 3),
      number(of((run) => run.tripsPerGrant).median),
      number(of((run) => run.redisCpuUsPerGrant).median),
      number(of((run) => run.clientCpuUsPerGrant).median),
    ];
    return [name(contender, paint), ...unlessVoid(runs.map(whyVoid), numbers, paint)];
  });
  return table(header, rows);
}

function handOverRows(
  results: Results,
  workload: Workload,
  sectionMs: number,
  contenders: readonly Contender[],
  paint: Paint,
): string[] {
  const header = ['', 'release to next grant, p50 ms', 'p99', '× two bare round trips'];
  const bareMs = spread(results.bareTrips.map(({ p50Ms }) => p50Ms)).median;
  const rows = contenders.map((contender) => {
    const runs = runsOf(results, contender.key, workload.key, sectionMs);
    const p50 = spread(runs.map((run) => run.handOverMs.between.p50)).median;
    const p99 = spread(runs.map((run) => run.handOverMs.between.p99)).median;
    const numbers = [number(p50), number(p99), number(p50 / bareMs)];
    return [name(contender, paint), ...unlessVoid(runs.map(whyVoid), numbers, paint)];
  });
  const bareP99Ms = spread(results.bareTrips.map(({ p99Ms }) => p99Ms)).median;
  return table(header, [...rows, ['two bare round trips', number(bareMs), number(bareP99Ms), number(1)]]);
}

/** What ten thousand waiters of one process cost. */
export function crowdTable(results: Results, contenders: readonly Contender[], paint: Paint): string {
  const header = ['', 'heap kB each', 'Redis kB each', 'hand-over p50 ms', 'with 10 waiters'];
  const rows = [...contenders, control].flatMap((contender) => {
    const crowds = results.crowds.filter((crowd) => crowd.contender === contender.key);
    const of = (value: (crowd: CrowdMeasurement) => number, digits: number): string =>
      fixed(spread(crowds.map(value)).median, digits);
    if (crowds.length === 0) return [];
    const numbers = [
      of((crowd) => crowd.heapBytesPerWaiter / 1_024, 2),
      of((crowd) => crowd.redisBytesPerWaiter / 1_024, 2),
      // Where waiters sleep between two tries, whoever has just released takes it again: that hands over nothing.
      contender.hasQueue ? of((crowd) => crowd.handOverManyP50Ms, 4) : nothing,
      contender.hasQueue ? of((crowd) => crowd.handOverFewP50Ms, 4) : nothing,
    ];
    return [[name(contender, paint), ...unlessVoid(crowds.map(whyFailed), numbers, paint)]];
  });
  return titled('1 process × 10,000 waiters, one name', table(header, rows), paint);
}

export function figuresTable(figures: readonly Figure[], paint: Paint): string {
  return [paint('strong', 'What it has to reach'), ...figureLines(figures, paint)].join('\n');
}

/** What the columns mean, and how the contenders are set up: without it the numbers say little. */
export function footnotes(contenders: readonly Contender[], retryDelayMs: number | undefined): string {
  const settings = contenders.map(({ title, settings }) => `  ${title}: ${settings}`);
  if (retryDelayMs !== undefined) {
    settings.push(`  But all that wait by trying: every ${retryDelayMs} ms, by --retry-delay-ms`);
  }
  return [
    'Medians of the repeats. Wait: from asking to being granted. Jain: over the grants of the waiters, 1 is fair.',
    'Trips: writes to Redis and messages pushed by it, per grant. Redis, clients: CPU time per grant.',
    ...settings,
    ...leftOut.map((line) => `  ${line}`),
  ].join('\n');
}

function titled(title: string, [header = '', ...rows]: readonly string[], paint: Paint): string {
  return [paint('strong', title), paint('label', header), ...rows].join('\n');
}

function name(contender: Contender, paint: Paint): string {
  return contender.isPeer ? contender.title : paint('strong', contender.title);
}

/** The numbers of a lock that was none would only mislead. */
function unlessVoid(why: readonly (string | null)[], numbers: readonly string[], paint: Paint): string[] {
  const bad = why.find((reason) => reason !== null);
  return bad ? [paint('bad', `VOID: ${bad}`)] : [...numbers];
}
