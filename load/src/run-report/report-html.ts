import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { count } from '@lastseat/lab-frame/words.ts';

import { HATCH, raceData, raceSection } from '../race/race-section.ts';
import type { Race } from '../race/race.ts';
import type { LabRun } from '../runs/run.ts';
import { loadInWords, pressureInWords } from '../runs/words.ts';
import { circumstancesSection } from './circumstances-section.ts';
import { cpuSection } from './cpu-section.ts';
import { figuresOf, type CellFigures } from './figures.ts';
import { generatorSection } from './generator-section.ts';
import { heatMapSection } from './heat-map-section.ts';
import { html, raw } from './html.ts';
import { latencySection } from './latency-section.ts';
import { latenciesOf, type LatencyFigures } from './latency.ts';
import { page } from './page.ts';
import { roundTripsSection } from './round-trips-section.ts';
import { scalingSection } from './scaling-section.ts';
import { verdictSection } from './verdict-section.ts';
import { winnersSection, type Winners } from './winners.ts';

// What a mail takes, and a phone on a train.
export const MOST_BYTES = 330_000;

/** Beside the page where not all races fit into it: a page of all of them. */
export const ALL_RACES = 'races.html';

// One without a guard and some of those that answer it. Beyond them the tables and charts are worth more.
const FEWEST_RACES = 4;

/**
 * A run as one page that needs nothing else: no network, no server, no other file. The first run is what it is about;
 * the lines of the others lie over its charts.
 */
export function reportHtml(
  [run, ...others]: readonly [LabRun, ...LabRun[]],
  { winners = [], races = [] }: Found = {},
): string {
  const first = toldOf(run);
  const further = others.map(toldOf);
  const sizes = races.map(bytesOf);
  const some = Math.min(races.length, FEWEST_RACES);
  const attempts = [
    ...DETAILS.map((detail) => ({ detail, others: further, fewest: some })),
    { detail: LEAST, others: further, fewest: 0 },
    { detail: LEAST, others: [], fewest: 0 },
  ];
  let page = '';
  for (const { detail, others, fewest } of attempts) {
    page = pageOf(first, others, { winners, races, drawn: fewest }, detail);
    let left = MOST_BYTES - Buffer.byteLength(page);
    if (left < 0) continue;
    const more = sizes.slice(fewest).findIndex((bytes) => (left -= bytes) < 0);
    const drawn = more === -1 ? races.length : fewest + more;
    return drawn === fewest ? page : pageOf(first, others, { winners, races, drawn }, detail);
  }
  return page;
}

/** What one race adds to a page: its section, and what its script needs. */
function bytesOf(race: Race): number {
  const id = 'race-00';
  return Buffer.byteLength(raceSection(race, id).html + JSON.stringify(raceData([{ id, race }])));
}

/** What lies beside `run.json`. */
interface Found {
  winners?: readonly Winners[];
  races?: readonly Race[];
}

/** A run and what is told of it, worked out once however often the page is made. */
interface Told {
  run: LabRun;
  cells: readonly CellFigures[];
  latencies: readonly LatencyFigures[];
}

function toldOf(run: LabRun): Told {
  return { run, cells: figuresOf(run), latencies: latenciesOf(run) };
}

/** What a large run has less of: points of its lines, and then rows of its longest tables. */
interface Detail {
  keepEvery: number;
  /** Rows of all cells, and not only of those with the most connections. */
  isWhole: boolean;
}

const LEAST: Detail = { keepEvery: 8, isWhole: false };
const DETAILS: Detail[] = [
  { keepEvery: 1, isWhole: true },
  { keepEvery: 2, isWhole: true },
  { keepEvery: 2, isWhole: false },
  { keepEvery: 4, isWhole: false },
  LEAST,
];

function pageOf(
  first: Told,
  others: readonly Told[],
  { winners, races, drawn }: Required<Found> & { drawn: number },
  { keepEvery, isWhole }: Detail,
): string {
  const { run, cells, latencies } = first;
  const most = Math.max(...cells.map(({ connections }) => connections));
  const isTold = ({ connections }: { connections: number }): boolean => isWhole || connections === most;
  const sections = races.slice(0, drawn).map((race, index) => ({ id: `race-${index + 1}`, race }));
  const data = {
    races: raceData(sections),
    runs: [first, ...others].map(({ run, cells, latencies }) => ({
      id: run.id,
      cells: chartCells(cells),
      latencies: chartLatencies(latencies, keepEvery),
    })),
  };
  return page({
    title: `Lastseat · ${run.id}`,
    body: html`<header>
        <p class="over">
          Lastseat · ${run.settings.workload} · ${run.circumstances.startedAt.slice(0, 16).replace('T', ' ')}
        </p>
        <h1>${run.name}</h1>
        ${!isWhole && html`<p>So many cells do not fit into one page: the tables of latency, CPU and the generator have those with ${count(most, 'connection')}; all are in run.json.</p>`}
        ${others.length > 0 && html`<p>Charts with broken lines: ${others.map(({ run }) => run.id).join(', ')}</p>`}
      </header>
      ${verdictSection(run)} ${heatMapSection(cells)} ${scalingSection(cells)}
      ${latencySection(latencies, latencies.filter(isTold))}
      ${cpuSection(cells.filter(isTold), run.circumstances.machine.cores)}
      ${generatorSection(run, run.cells.filter(isTold))} ${roundTripsSection(run)} ${winnersSection(winners)}
      ${sections.length > 0 && HATCH}${sections.map(({ id, race }) => raceSection(race, id))}
      ${drawn < races.length && html`<p>${count(races.length - drawn, 'more race')} in <a href="${ALL_RACES}">${ALL_RACES}</a>, which is beside this page.</p>`}
      ${circumstancesSection(run)}`,
    data,
    styles: [raw(fileOf('uplot/dist/uPlot.min.css')), raw(partOf('../race/race.css'))],
    libraries: [raw(fileOf('uplot/dist/uPlot.iife.min.js'))],
    scripts: [raw(partOf('page/charts.js')), raw(partOf('../race/race.js'))],
  });
}

function partOf(name: string): string {
  return readFileSync(new URL(name, import.meta.url), 'utf8');
}

function fileOf(path: string): string {
  return readFileSync(fileURLToPath(import.meta.resolve(path)), 'utf8');
}

/** What the charts need, and in the order in which they need it. */
function chartCells(cells: readonly CellFigures[]): unknown[] {
  return cells.map((cell) => ({
    strategy: cell.strategy,
    replicas: cell.replicas,
    pressure: pressureInWords(cell),
    rate: cell.rate,
    ofFewest: cell.ofFewest,
  }));
}

function chartLatencies(latencies: readonly LatencyFigures[], keepEvery: number): unknown[] {
  return latencies.map((latency) => ({
    strategy: latency.strategy,
    group: loadInWords(latency),
    outcome: latency.outcome,
    curve: latency.curve.filter((_, index) => index % keepEvery === 0),
  }));
}
