import { nothing, whole } from '@lastseat/lab-frame/table.ts';

import { byPressure, pressureInWords } from '../runs/words.ts';
import { unique, type CellFigures } from './figures.ts';
import { shareInWords, strategyName } from './heat-map-section.ts';
import { html, table, type Html } from './html.ts';

/** What more replicas bring, and what they cost where they only share what there is. */
export function scalingSection(cells: readonly CellFigures[]): Html {
  if (unique(cells.map(({ replicas }) => replicas)).length < 2) return html``;
  const all = byPressure(cells);
  return html`<section aria-labelledby="scaling">
    <h2 id="scaling">More replicas</h2>
    <p>Efficiency is the throughput by that with the fewest replicas: 1 is as much as with those.</p>
    ${all.map((cells) => {
      const pressure = pressureInWords(cells[0]);
      return html`<h3>${pressure}</h3>
        <div class="pair">
          ${chart('throughput', pressure, `Answers a second against replicas, ${pressure}`)}
          ${chart('efficiency', pressure, `Efficiency against replicas, ${pressure}`)}
        </div>
        ${numbers(cells, pressure)}`;
    })}
  </section>`;
}

/** Drawn by charts.js; without it, or without eyes for it, there is the table below. */
function chart(kind: string, pressure: string, label: string): Html {
  return html`<figure
    class="chart"
    data-chart="${kind}"
    data-pressure="${pressure}"
    role="img"
    aria-label="${label}; the numbers are in the table below"
  >
    <figcaption>${label}</figcaption>
  </figure>`;
}

function numbers(cells: readonly CellFigures[], pressure: string): Html {
  const rows = cells.map((cell) => [
    strategyName(cell.strategy),
    String(cell.replicas),
    cell.rate === null ? cell.broken : whole(cell.rate),
    shareInWords(cell.ofFewest),
    shareInWords(cell.ofCeiling),
  ]);
  const header = ['', 'replicas', 'answers/s', 'efficiency', 'of the no-op route'];
  return html`<details>
    <summary>The numbers</summary>
    ${table(`Throughput and efficiency, ${pressure}`, header, rows.length > 0 ? rows : [[nothing]])}
  </details>`;
}
