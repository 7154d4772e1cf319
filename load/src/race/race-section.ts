import { count } from '@lastseat/lab-frame/words.ts';

import { html, raw, type Html } from '../run-report/html.ts';
import {
  drawnBuyers,
  endOfLane,
  momentsOf,
  overlaps,
  overwrites,
  salesOf,
  spansOf,
  type Race,
  type RaceBuyer,
} from './race.ts';

/** What stands above the lanes, where they show something else than whether a race was oversold. */
export interface RaceWords {
  title: string;
  verdict: string;
  isGood: boolean;
}

/**
 * A race as lanes: a row for each buyer, those of one replica together, time to the right. It stands as it is without a
 * script; race.js lets it be stepped through, slowed down, and a single buyer followed.
 */
export function raceSection(race: Race, id: string, said: Partial<RaceWords> = {}): Html {
  const undrawn = race.buyers.length - drawnBuyers(race).length;
  const buyers = count(race.buyerCount ?? race.buyers.length, 'buyer');
  const words: RaceWords = {
    title: `${race.strategy}${race.fault === undefined ? '' : `, beside ${race.fault}`}: ${buyers} for ${count(race.tickets, 'ticket')}`,
    verdict: verdict(race),
    isGood: race.rows <= race.tickets,
    ...said,
  };
  return html`<section class="race" id="${id}" aria-labelledby="${id}-title" data-race="${id}">
    <h2 id="${id}-title">${words.title}</h2>
    <p class="verdict ${words.isGood ? 'good' : 'bad'}">${words.verdict}</p>
    <form class="controls" hidden>
      <button type="button" name="back" aria-label="one moment back">◀</button>
      <button type="button" name="play">Play</button>
      <button type="button" name="forth" aria-label="one moment on">▶</button>
      <label
        >Speed
        <input
          type="range"
          name="speed"
          min="0"
          max="3"
          step="0.5"
          value="1"
          aria-label="how many times slower, as a power of ten"
      /></label>
      <output aria-live="polite"></output>
    </form>
    <div class="scroll" tabindex="0" role="region" aria-label="Lanes of ${race.strategy}">
      ${raceLanes(race)}
    </div>
    ${undrawn > 0 && html`<p><small>${count(undrawn, 'more buyer')} not drawn, who came later and did not book.</small></p>`}
    <details>
      <summary>The same as a table</summary>
      ${momentsTable(race)}
    </details>
    <p>Recorded at ${race.startedAt} on event ${race.event}; another one like it:</p>
    <pre tabindex="0"><code>${race.command}</code></pre>
  </section>`;
}

/**
 * The drawing alone.
 * @param untilMs of a race that is still under way: how late it is. Then no lane can have the focus, as it is drawn anew.
 */
export function raceLanes(race: Race, untilMs?: number): Html {
  const isLive = untilMs !== undefined;
  const lanes = Map.groupBy(drawnBuyers(race), ({ instance }) => instance ?? 'nobody answered');
  const replicas = [...lanes].toSorted(([a], [b]) => a.localeCompare(b, 'en', { numeric: true }));
  const times = race.buyers.flatMap(({ marks }) => marks.map(({ atMs }) => atMs));
  const endMs = times.reduce((latest, atMs) => Math.max(latest, atMs), untilMs ?? 1);
  const scale = (WIDTH - LEFT - RIGHT) / endMs;
  const x = (atMs: number): string => (LEFT + atMs * scale).toFixed(1);
  const onTop = overwrites(race);
  let row = 0;
  const drawn = replicas.map(([instance, buyers]) => {
    const first = row;
    const lines = buyers.map((buyer) => lane(buyer, row++));
    const y = TOP + first * ROW;
    return html`<g
      ><text class="replica" x="4" y="${y + 12}">${instance}</text>
      <line
        class="rule"
        x1="0"
        x2="${WIDTH}"
        y1="${y - 3}"
        y2="${y - 3}"
      />${lines}${pausesOf(instance, y, buyers.length)}</g
    >`;
  });
  const height = TOP + row * ROW + 74;
  const sales = salesOf(race);
  const lastTicketMs = sales[race.tickets - 1];
  return html`<svg
    viewBox="0 0 ${WIDTH} ${height}"
    width="${WIDTH}"
    height="${height}"
    role="group"
    aria-label="${race.strategy}: what each booking did, when; the table below tells the same"
    data-left="${LEFT}"
    data-scale="${scale}"
  >
    ${drawn} ${stock(race, sales, TOP + row * ROW + 12, x, endMs)}
    ${
      lastTicketMs !== undefined &&
      html`<line
          class="last"
          x1="${x(lastTicketMs)}"
          x2="${x(lastTicketMs)}"
          y1="14"
          y2="${height - 24}"
        /><text class="note" x="${x(lastTicketMs)}" y="11" text-anchor="middle">the last ticket</text>`
    }
    ${axis(endMs, height, x)}
    <line class="now" x1="${LEFT}" x2="${LEFT}" y1="14" y2="${height - 20}" />
  </svg>`;

  /** Crossed out over all of a replica's lanes: it did nothing; from a line on, where it was killed. */
  function pausesOf(instance: string, y: number, lanes: number): Html[] {
    const ofReplica = (race.pauses ?? []).filter((pause) => pause.instance === instance);
    return ofReplica.flatMap(({ fromMs, toMs, isKilled }) => {
      const from = Math.max(0, fromMs);
      const to = Math.min(endMs, toMs ?? endMs);
      if (to <= from) return [];
      const width = Math.max(2, (to - from) * scale).toFixed(1);
      const what = isKilled ? 'is killed, and down' : 'does nothing';
      return [
        html`<rect class="paused" x="${x(from)}" y="${y - 1}" width="${width}" height="${lanes * ROW - 2}"
            ><title>${instance} ${what} for ${Math.round(to - from)} ms</title></rect
          >${
            isKilled &&
            html`<line
              class="killed"
              x1="${x(from)}"
              x2="${x(from)}"
              y1="${y - 2}"
              y2="${y + lanes * ROW - 2}"
            />`
          }`,
      ];
    });
  }

  function lane(buyer: RaceBuyer, row: number): Html {
    const y = TOP + row * ROW;
    const under = onTop.get(buyer);
    const end = endOfLane(buyer, race, endMs);
    const read = buyer.marks.find(({ name }) => name === 'read');
    const spans = spansOf(buyer, end.atMs).map(({ kind, fromMs, toMs }) => {
      const thin = kind === 'holds' || kind === 'waits';
      const width = Math.max(1.5, (toMs - fromMs) * scale).toFixed(1);
      const isOnTop = kind === 'writes' && under !== undefined;
      return html`<rect
        class="${kind}${isOnTop && ' on-top'}"
        data-span="${kind}"
        data-from="${fromMs}"
        data-to="${toMs}"
        x="${x(fromMs)}"
        y="${thin ? y + 1 : y + 4}"
        width="${width}"
        height="${thin ? 14 : 8}"
      />`;
    });
    const index = race.buyers.indexOf(buyer);
    return html`<g class="lane" ${!isLive && raw('tabindex="0"')} data-buyer="${index}" role="img"
      ><title>${laneTitle(buyer, under)}</title>
      <text class="who" x="92" y="${y + 12}">${buyer.customer}</text>${spans}${
        read?.value !== undefined &&
        read.value !== null &&
        html`<text class="value" x="${(LEFT + read.atMs * scale + 2).toFixed(1)}" y="${y + 12}"
          >${read.value}</text
        >`
      }<text
        class="end ${buyer.outcome === 'booked' ? (under ? 'bad' : 'good') : ''}"
        x="${Math.max(LEFT + end.atMs * scale + 5, LEFT + (read?.atMs ?? 0) * scale + 12).toFixed(1)}"
        y="${y + 12}"
        >${end.isKilled && '✕ killed, '}${!isLive || buyer.outcome !== null ? endOf(buyer) : ''}${under && ' ▲ on top of '}${under?.customer}</text
      ></g
    >`;
  }
}

const WIDTH = 1_060;
const LEFT = 140;
const RIGHT = 200;
const TOP = 22;
const ROW = 19;

function endOf({ outcome, token }: RaceBuyer): string {
  if (outcome === null) return 'no answer';
  if (outcome !== 'booked') return outcome.replaceAll('_', ' ');
  return token === null ? 'booked' : `booked, token …${String(token).slice(-5)}`;
}

function laneTitle(buyer: RaceBuyer, under: RaceBuyer | undefined): string {
  const marks = buyer.marks.map(
    ({ name, atMs, value }) => `${name}${value === null ? '' : ` ${value}`} ${atMs} ms`,
  );
  const fault = under ? `; its write landed on top of that of ${under.customer}, which it had not read` : '';
  return `${buyer.customer}: ${endOf(buyer)}${fault}. ${marks.join(', ')}`;
}

function verdict(race: Race): string {
  const written = overwrites(race).size;
  const { tickets, rows, available } = race;
  const seen = `${count(overlaps(race), 'pair')} of bookings overlapped between read and commit`;
  if (rows > tickets) {
    return `✗ OVERSOLD: ${count(rows, 'booking')} for ${count(tickets, 'ticket')}, and the counter says ${available} left. ${seen}; ${count(written, 'write')} landed on top of another.`;
  }
  return `✓ EXACT: ${count(rows, 'booking')} for ${count(tickets, 'ticket')}, ${available} left. ${seen}.`;
}

function stock(
  race: Race,
  sales: readonly number[],
  y: number,
  x: (ms: number) => string,
  endMs: number,
): Html {
  const most = Math.max(race.tickets, sales.length, 1);
  const level = (left: number): number => y + 30 * (1 - (left + most - race.tickets) / most);
  const points = [`${x(0)},${level(race.tickets)}`];
  for (const [index, atMs] of sales.entries()) {
    points.push(`${x(atMs)},${level(race.tickets - index)}`, `${x(atMs)},${level(race.tickets - index - 1)}`);
  }
  points.push(`${x(endMs)},${level(race.tickets - sales.length)}`);
  return html`<g
    ><text class="replica" x="4" y="${y + 10}">free, by rows</text>
    <line class="zero" x1="${x(0)}" x2="${x(endMs)}" y1="${level(0)}" y2="${level(0)}" />
    <polyline class="stock" points="${points.join(' ')}" />
    <text class="end" x="${(Number(x(endMs)) + 5).toFixed(1)}" y="${level(race.tickets - sales.length) + 4}"
      >${race.tickets - sales.length}</text
    ></g
  >`;
}

function axis(endMs: number, height: number, x: (ms: number) => string): Html {
  const step =
    [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000].find((step) => endMs / step <= 10) ?? 10_000;
  const ticks = Array.from({ length: Math.floor(endMs / step) + 1 }, (_, index) => index * step);
  return html`<g class="axis"
    >${ticks.map((ms) => html`<text x="${x(ms)}" y="${height - 4}" text-anchor="middle">${ms}${ms === 0 && ' ms'}</text>`)}</g
  >`;
}

function momentsTable(race: Race): Html {
  const rows = momentsOf(race).map(
    ({ atMs, text, buyer }) =>
      html`<tr>
        <td>${atMs.toFixed(3)}</td>
        <td class="text">${race.buyers[buyer]?.instance}</td>
        <td class="text">${text}</td>
      </tr>`,
  );
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Moments of ${race.strategy}">
    <table>
      <caption>
        Every moment, in milliseconds
      </caption>
      <thead>
        <tr>
          <th scope="col">ms</th>
          <th scope="col">replica</th>
          <th scope="col">moment</th>
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>
  </div>`;
}

/** What race.js needs: the moments of each race, by the id of its section. */
export function raceData(races: readonly { id: string; race: Race }[]): Record<string, unknown> {
  return Object.fromEntries(
    races.map(({ id, race }) => [id, momentsOf(race).map(({ atMs, text, buyer }) => [atMs, buyer, text])]),
  );
}

/** What the drawing is made of, for a page that has it. */
export const HATCH = raw(`<svg width="0" height="0" aria-hidden="true"><defs>
<pattern id="hatch" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><line class="hatch" x1="0" x2="0" y1="0" y2="5" /></pattern>
<pattern id="cross" width="12" height="12" patternUnits="userSpaceOnUse"><path class="cross" d="M2 2 10 10M10 2 2 10" /></pattern></defs></svg>`);

export const RACE_KEYS = html`<p class="keys">
  <span
    ><svg class="swatch"><rect class="waits" width="100%" height="100%" fill="url(#hatch)" /></svg>
    waits</span
  >
  <span class="good">▭ holds the lock</span>
  <span><i class="part-replicas"></i> reads, and paler: decides</span>
  <span><i class="part-nginx"></i> writes</span> <span class="bad">■ writes on top of another</span>
  <span
    ><svg class="swatch"><rect width="100%" height="100%" fill="url(#cross)" /></svg> its replica is paused or
    down</span
  >
  <span class="bad">┃ killed: what it had in hand ends there</span>
</p>`;
