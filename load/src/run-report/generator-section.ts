import { median, sum } from '@lastseat/lab-frame/statistics.ts';
import { fixed, nothing, number, whole } from '@lastseat/lab-frame/table.ts';
import { agree, count, thousands } from '@lastseat/lab-frame/words.ts';

import type { SettledCounts } from '../history/settled.ts';
import { arrivalsInWords } from '../runs/arrivals.ts';
import type { Cell, LabRun } from '../runs/run.ts';
import { cellInWords } from '../runs/words.ts';
import { figuresOf } from './figures.ts';
import { html, table, type Html } from './html.ts';

/** Whether the load was what it was to be, and what it took from what it measures. */
export function generatorSection(run: LabRun, cells: readonly Cell[]): Html {
  const rows = generatorRows(cells);
  if (rows.length === 0) return html``;
  return html`<section aria-labelledby="generator">
    <h2 id="generator">The load generator</h2>
    <p>The load is ${arrivalsInWords(run.settings)}. ${harnessInWords(run)}</p>
    <details>
      <summary>The numbers</summary>
      ${table('What the generator was to send, sent, and was late itself', GENERATOR_HEADER, rows)}
    </details>
  </section>`;
}

export const GENERATOR_HEADER = ['', 'offered/s', 'achieved/s', 'late p99 ms', 'at most ms', 'unknown'];

/** Of each cell: rates are medians of its slices, and of what is bad the worst. */
export function generatorRows(cells: readonly Cell[]): string[][] {
  return cells
    .filter(({ slices }) => slices.length > 0)
    .map((cell) => {
      const { slices } = cell;
      const generators = slices.map(({ generator }) => generator);
      return [
        cellInWords(cell),
        rateInWords(generators.map(({ offeredPerS }) => offeredPerS)),
        rateInWords(generators.map(({ achievedPerS }) => achievedPerS)),
        number(Math.max(...generators.map(({ lagMs }) => lagMs.p99))),
        number(Math.max(...generators.map(({ lagMs }) => lagMs.max))),
        whole(sum(slices.map(({ requests }) => requests.unknown))),
      ];
    });
}

function rateInWords(rates: readonly (number | null)[]): string {
  const middle = median(rates.filter((rate) => rate !== null));
  return middle === null ? nothing : number(middle);
}

/** The same for a terminal, the page and a pull request. */
export function harnessInWords(run: LabRun): string {
  return [cpuInWords(run), lagInWords(run), settledInWords(run)].filter(Boolean).join(' ');
}

function cpuInWords(run: LabRun): string {
  const { cores } = run.circumstances.machine;
  const used = figuresOf(run).flatMap(({ cpu }) => cpu?.harness ?? []);
  if (used.length === 0) return '';
  const most = Math.max(...used);
  const share = Math.round((100 * most) / cores);
  return `The load generator took at most ${fixed(most, 2)} of ${count(cores, 'core')} (${share} %).`;
}

function lagInWords({ cells }: LabRun): string {
  const lags = cells.flatMap(({ slices }) => slices.map(({ generator }) => generator.lagMs));
  if (lags.length === 0) return '';
  const p99 = Math.max(...lags.map(({ p99 }) => p99));
  const most = Math.max(...lags.map(({ max }) => max));
  return `Its own timers were late by at most ${number(p99)} ms (p99 of a slice), once by ${number(most)} ms.`;
}

/** What became of requests whose end nobody was told. */
function settledInWords({ cells }: LabRun): string {
  const all = cells.flatMap(({ slices }) => slices.flatMap(({ settled }) => settled ?? []));
  const of = (name: keyof SettledCounts): number => sum(all.map((counts) => counts[name]));
  const [unknown, done, notDone, open, lookedUp] = [
    of('unknown'),
    of('done'),
    of('notDone'),
    of('open'),
    of('lookedUp'),
  ];
  if (unknown === 0) return '';
  const ends = [
    done > 0 ? `${thousands(done)} ${agree(done, 'was', 'were')} done` : '',
    notDone > 0 ? `${thousands(notDone)} ${agree(notDone, 'was', 'were')} not done` : '',
    open > 0 ? `${thousands(open)} may still be` : '',
  ].filter(Boolean);
  const asked = lookedUp > 0 ? `; GET /requests said the same of ${thousands(lookedUp)}` : '';
  return `${count(unknown, 'request')} ended unknown, and ${agree(unknown, 'was', 'were')} looked for in Postgres: ${ends.join(', ')}${asked}.`;
}
