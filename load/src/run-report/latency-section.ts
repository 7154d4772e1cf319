import { number, whole } from '@lastseat/lab-frame/table.ts';

import { loadInWords } from '../runs/words.ts';
import { unique } from './figures.ts';
import { strategyName } from './heat-map-section.ts';
import { html, table, type Html } from './html.ts';
import type { LatencyFigures } from './latency.ts';

/** How long who waited: by outcome, because a refusal is another answer than a booking. */
export function latencySection(latencies: readonly LatencyFigures[], told: readonly LatencyFigures[]): Html {
  if (latencies.length === 0) return html``;
  const choices = unique(latencies.map(loadInWords));
  const outcomes = unique(latencies.map(({ outcome }) => outcome));
  return html`<section aria-labelledby="latency">
    <h2 id="latency">Latency</h2>
    <p>
      From the intended start of a request to the last byte of its answer. To the right are the slowest: 99 %
      is the one in a hundred. Cells that are hatched above are left out.
    </p>
    <form class="choice" hidden>
      <label
        >Cells
        <select name="group">
          ${choices.map((group) => html`<option>${group}</option>`)}
        </select></label
      >
      <label
        >Answers
        <select name="outcome">
          ${outcomes.map((outcome) => html`<option>${outcome}</option>`)}
        </select></label
      >
    </form>
    <figure
      class="chart wide"
      data-chart="latency"
      role="img"
      aria-label="Latency by percentile; the numbers are in the table below"
    >
      <figcaption>Milliseconds that so many did not exceed</figcaption>
    </figure>
    <details>
      <summary>The numbers</summary>
      ${table('Latency in milliseconds', ['', 'cell', 'answer', 'answers', 'p50', 'p90', 'p99', 'p99.9', 'longest'], told.map(row))}
    </details>
  </section>`;
}

function row(latency: LatencyFigures): string[] {
  const { strategy, outcome, count, p50, p90, p99, p999, max } = latency;
  return [
    strategyName(strategy),
    loadInWords(latency),
    outcome,
    whole(count),
    ...[p50, p90, p99, p999, max].map(number),
  ];
}
