import { medianInterval } from '@lastseat/lab-frame/figures/interval.ts';
import type { Paint } from '@lastseat/lab-frame/paint.ts';
import { median } from '@lastseat/lab-frame/statistics.ts';
import { table, whole } from '@lastseat/lab-frame/table.ts';
import { count, thousands } from '@lastseat/lab-frame/words.ts';

import { latenciesOf, ratesOf, verdictOfCell, voidOf } from '../runs/rate.ts';
import type { Cell, LabRun } from '../runs/run.ts';
import { brokenInWords, byPressure, cellInWords, pressureInWords, verdictOfRun } from '../runs/words.ts';
import { workloadOf } from '../workloads/workloads.ts';

/** For each number of connections and each fault one table: guards down, replicas across. A cell that failed shows no rate. */
export function labTables({ cells, settings }: LabRun, paint: Paint): string {
  const what = workloadOf(settings.workload).counts.join(' + ');
  const tables = byPressure(cells).map((measured) => {
    const replicas = [...new Set(measured.map((cell) => cell.replicas))];
    const rows = [...Map.groupBy(measured, ({ strategy }) => strategy)].map(([strategy, ofStrategy]) => {
      const rates = replicas.map((number) =>
        rateInWords(
          ofStrategy.find((cell) => cell.replicas === number),
          paint,
        ),
      );
      return [strategy === 'no-op' ? '(no-op route)' : strategy].concat(rates);
    });
    const header = ['', ...replicas.map((number) => count(number, 'replica'))];
    const [first = '', ...lines] = table(header, rows);
    const title = `${settings.workload}: ${what} a second, ${pressureInWords(measured[0])}`;
    const waits = latencyLines(measured, replicas);
    return [paint('strong', title), paint('label', first), ...lines, '', ...waits].join('\n');
  });
  return [...tables, ...reasons(cells)].join('\n\n');
}

function rateInWords(cell: Cell | undefined, paint: Paint): string {
  if (!cell) return '-';
  if (voidOf(cell) !== null) {
    const style = verdictOfCell(cell) === 'failed' ? 'bad' : 'label';
    return paint(style, brokenInWords(cell).toUpperCase());
  }
  const rates = ratesOf(cell);
  const interval = medianInterval(rates);
  const range = interval ? ` (${interval.map(whole).join('..')})` : '';
  return `${whole(median(rates) ?? Number.NaN)}${paint('label', range)}`;
}

function latencyLines(cells: readonly Cell[], replicas: readonly number[]): string[] {
  const rows = [...Map.groupBy(cells, ({ strategy }) => strategy)].flatMap(([strategy, ofStrategy]) => {
    if (strategy === 'no-op') return [];
    return [
      [
        strategy,
        ...replicas.map((number) => latencyInWords(ofStrategy.find((cell) => cell.replicas === number))),
      ],
    ];
  });
  return table(['p50 / p99 ms', ...replicas.map((number) => count(number, 'replica'))], rows);
}

function latencyInWords(cell: Cell | undefined): string {
  if (!cell || voidOf(cell) !== null) return '-';
  const [p50, p99] = (['p50', 'p99'] as const).map((percentile) => median(latenciesOf(cell, percentile)));
  return p50 == null || p99 == null ? '-' : `${inMs(p50)} / ${inMs(p99)}`;
}

function inMs(ms: number): string {
  return ms < 10 ? ms.toFixed(1) : thousands(Math.round(ms));
}

/** Of each cell without a rate, why. */
function reasons(cells: readonly Cell[]): string[] {
  const lines = cells.flatMap((cell) => {
    const why = voidOf(cell);
    return why === null ? [] : [`${cellInWords(cell)}: ${why}`];
  });
  return lines.length === 0 ? [] : [lines.join('\n')];
}

/** One sentence for whoever reads nothing else. */
export function conclusion(run: LabRun, paint: Paint): string {
  const { sign, sentence } = verdictOfRun(run);
  const [style, word] = WORDS[sign];
  return `${paint(style, word)}  ${sentence}`;
}

const WORDS = {
  good: ['good', 'OK'],
  bad: ['bad', 'FAIL'],
  open: ['strong', 'NOT SHOWN'],
} as const;
