import { readFileSync } from 'node:fs';

import { html, raw } from '../run-report/html.ts';
import { page } from '../run-report/page.ts';
import { HATCH, RACE_KEYS, raceData, raceSection } from './race-section.ts';
import type { Race } from './race.ts';

/** Races one below the other, as one page that needs no server and no network. */
export function racePage(races: readonly Race[]): string {
  const sections = races.map((race, index) => ({ id: `race-${index + 1}`, race }));
  return page({
    title: 'Lastseat · the race',
    body: html`<header>
        <p class="over">Lastseat</p>
        <h1>The race for the last ticket</h1>
        ${HATCH}
        <p>
          A row for each buyer, those of one replica together. Each of them asked in the same instant. The
          number behind a read is what it found free. Step with the arrow keys, or play it slowly; point at a
          buyer to follow them.
        </p>
        ${RACE_KEYS}
      </header>
      ${sections.map(({ id, race }) => raceSection(race, id))}`,
    data: { races: raceData(sections) },
    styles: [raw(partOf('race.css'))],
    scripts: [raw(partOf('race.js'))],
  });
}

function partOf(name: string): string {
  return readFileSync(new URL(name, import.meta.url), 'utf8');
}
