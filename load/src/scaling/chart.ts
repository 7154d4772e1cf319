import type { RecordedRun } from '@lastseat/lab-frame/results/recorded-run.ts';
import { thousands } from '@lastseat/lab-frame/words.ts';

import { html, type Html } from '../run-report/html.ts';
import { costsOf } from './fit.ts';
import { atReplicas, byReplicasPerS } from './predictions.ts';

const WIDTH = 720;
const HEIGHT = 340;
const LEFT = 64;
const RIGHT = 190;
const TOP = 34;
const BOTTOM = 46;

const REPLICAS = [1, 2, 4, 8];
const GUARDS = [
  { of: 'batched-update at home', title: 'at home', color: '#1a7f37' },
  { of: 'batched-update', title: 'spread over all', color: '#b35900' },
];
const GRID = 2_000;

/**
 * Bookings of one hot event against replicas: a circle for each run's median, and a line through what the model says of
 * the run that it is fitted to. A drawing without a script, with colours that stand on white and on black.
 */
export function scalingChart(runs: readonly RecordedRun[], fitted: RecordedRun): string {
  const costs = costsOf(fitted);
  const all = runs.flatMap((run) =>
    GUARDS.flatMap(({ of }) => REPLICAS.map((replicas) => measuredOf(run, of, replicas) ?? 0)),
  );
  const top = Math.ceil(Math.max(...all) / GRID) * GRID;
  const x = (replicas: number): string =>
    (LEFT + (Math.log2(replicas) / 3) * (WIDTH - LEFT - RIGHT)).toFixed(1);
  const y = (perS: number): string => (HEIGHT - BOTTOM - (perS / top) * (HEIGHT - TOP - BOTTOM)).toFixed(1);
  const steps = Array.from({ length: top / GRID + 1 }, (_, step) => step * GRID);

  const drawn = GUARDS.map(({ of, title, color }): Html => {
    const line = REPLICAS.map((replicas) => ({
      replicas,
      perS: byReplicasPerS(fitted, costs, of, replicas),
    }));
    const points = line.map(({ replicas, perS }) => `${x(replicas)},${y(perS)}`).join(' ');
    const circles = runs.flatMap((run) =>
      REPLICAS.flatMap((replicas) => {
        const perS = measuredOf(run, of, replicas);
        if (perS === undefined) return [];
        const fill = run === fitted ? color : 'none';
        return html`<circle cx="${x(replicas)}" cy="${y(perS)}" r="4" fill="${fill}" stroke="${color}" /> `;
      }),
    );
    const end = line.at(-1)?.perS ?? 0;
    return html`<polyline points="${points}" fill="none" stroke="${color}" stroke-width="2" /> ${circles}<text
        x="${WIDTH - RIGHT + 10}"
        y="${y(end)}"
        fill="${color}"
        >${title}: the model</text
      > `;
  });

  return `${html`<svg
    xmlns="http://www.w3.org/2000/svg"
    viewBox="0 0 ${WIDTH} ${HEIGHT}"
    width="${WIDTH}"
    height="${HEIGHT}"
    role="img"
    font-family="sans-serif"
    font-size="13"
  >
    <title>Bookings per second of one event against replicas: measured and by the model</title>
    <rect width="${WIDTH}" height="${HEIGHT}" fill="#fff" />
    <text x="${LEFT}" y="18">bookings/s of one event, 64 buyers, batched-update</text>
    ${steps.map(
      (perS) =>
        html`<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(perS)}" y2="${y(perS)}" stroke="#ddd" />
          <text x="${LEFT - 8}" y="${Number(y(perS)) + 4}" text-anchor="end">${thousands(perS)}</text> `,
    )}
    ${REPLICAS.map(
      (replicas) =>
        html`<text x="${x(replicas)}" y="${HEIGHT - BOTTOM + 20}" text-anchor="middle">${replicas}</text> `,
    )}
    <text x="${LEFT}" y="${HEIGHT - 6}">
      replicas that may be asked, of eight that share two cores with all else. Full circles: the run fitted
      to.
    </text>
    ${drawn}
  </svg>`.html
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean)
    .join('\n')}\n`;
}

function measuredOf({ medians }: RecordedRun, of: string, replicas: number): number | undefined {
  return medians['answers/s by replicas']?.[of]?.[atReplicas(replicas)];
}
