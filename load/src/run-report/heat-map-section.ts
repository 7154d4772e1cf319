import { nothing, number, whole } from '@lastseat/lab-frame/table.ts';
import { count } from '@lastseat/lab-frame/words.ts';

import { byPressure, pressureInWords } from '../runs/words.ts';
import { NO_OP, unique, type CellFigures } from './figures.ts';
import { html, raw, table, type Html } from './html.ts';

/** Strategies down, replicas across: one map for each number of connections and each fault. */
export function heatMapSection(cells: readonly CellFigures[]): Html {
  const maps = byPressure(cells).map(heatMap);
  return html`<section aria-labelledby="throughput">
    <h2 id="throughput">Throughput</h2>
    <p>
      Answers a second that the workload is about, the median of the slices, with the interval that holds the
      true median with 95 %. The deeper the colour, the nearer to the no-op route, which does nothing and is
      what nginx, a replica and the load generator can do at most. Hatched cells have no throughput: a check
      failed, or it was not measured.
    </p>
    ${cells.some(({ fault }) => fault !== undefined) && html`<p>${BESIDE_A_FAULT}</p>`} ${maps}
  </section>`;
}

/** Also for the pull request. */
export const BESIDE_A_FAULT =
  'Beside a fault, which strikes once in the middle of each slice and is healed, a rate is that of the whole window, the ' +
  'fault in it; its share is of the same guard without the fault. A guard that breaks there as it says it may has no rate.';

function heatMap(cells: readonly [CellFigures, ...CellFigures[]]): Html {
  const replicas = unique(cells.map((cell) => cell.replicas)).toSorted((a, b) => a - b);
  const strategies = unique(cells.map(({ strategy }) => strategy)).toSorted(
    (a, b) => Number(b === NO_OP) - Number(a === NO_OP),
  );
  const most = Math.max(1, ...cells.map(({ rate }) => rate ?? 0));
  const rows = strategies.map((strategy) => {
    const find = (number: number): CellFigures | undefined =>
      cells.find((cell) => cell.strategy === strategy && cell.replicas === number);
    return [html`${strategyName(strategy)}`].concat(replicas.map((number) => heatCell(find(number), most)));
  });
  const header = ['', ...replicas.map((number) => count(number, 'replica'))];
  const reasons = cells.filter((cell) => cell.void !== null);
  return html`<div class="heat">${table(pressureInWords(cells[0]), header, rows)}</div>
    ${
      reasons.length > 0 &&
      html`<details class="reasons">
        <summary>Why ${reasons.length} of these cells are hatched</summary>
        <ul>
          ${reasons.map(
            (cell) =>
              html`<li>${strategyName(cell.strategy)}, ${count(cell.replicas, 'replica')}: ${cell.void}</li>`,
          )}
        </ul>
      </details>`
    }`;
}

export function strategyName(strategy: string): string {
  return strategy === NO_OP ? '(no-op route)' : strategy;
}

function heatCell(cell: CellFigures | undefined, most: number): Html {
  if (!cell) return html`<span>${nothing}</span>`;
  if (cell.rate === null) {
    const word = cell.verdict === 'not shown' ? 'void' : cell.broken;
    return html`<span class="void" tabindex="0" title="${cell.void}">${word}</span>`;
  }
  const share = cell.ofCeiling ?? cell.ofUndisturbed ?? cell.rate / most;
  const style = raw(`style="--share:${Math.min(1, share).toFixed(3)}"`);
  return html`<span
    class="rate"
    ${style}
    data-rate="${cell.rate}"
    data-cell="${cell.strategy} ${cell.replicas} ${cell.connections}${cell.fault !== undefined && ` ${cell.fault}`}"
    >${whole(cell.rate)}<small
      >${intervalInWords(cell)}${
        cell.ofUndisturbed !== null && `, ${shareInWords(cell.ofUndisturbed)} of undisturbed`
      }</small
    ></span
  >`;
}

export function intervalInWords({ interval }: CellFigures): string {
  return interval === null ? 'too few slices' : `${whole(interval[0])} to ${whole(interval[1])}`;
}

export function shareInWords(share: number | null): string {
  return share === null ? nothing : number(share);
}
