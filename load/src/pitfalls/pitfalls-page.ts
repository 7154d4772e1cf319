import { readFileSync } from 'node:fs';

import { count } from '@lastseat/lab-frame/words.ts';

import { HATCH, RACE_KEYS, raceData, raceSection } from '../race/race-section.ts';
import { html, raw, table } from '../run-report/html.ts';
import { page } from '../run-report/page.ts';
import type { Pitfall } from './pitfalls.ts';
import { toldInWords, verdictInWords, type Played } from './played.ts';

/** Every pitfall as lanes, the broken one above the right one: a page that needs no server and no network. */
export function pitfallsPage(pitfalls: readonly Pitfall[], played: readonly Played[]): string {
  const sections = played.map((one, index) => ({ ...one, id: `race-${index + 1}` }));
  return page({
    title: 'Lastseat · pitfalls',
    body: html`<header>
        <p class="over">Lastseat</p>
        <h1>What programs with a lock get wrong</h1>
        ${HATCH}
        <p>
          Each is played twice: by a strategy with the mistake, and by the right one. Every moment was forced:
          who waits, waits until the script lets them go on. A row for each buyer, those of one replica
          together. Step with the arrow keys, or play it slowly.
        </p>
        ${RACE_KEYS}
        ${table(
          'What Postgres holds when all is over',
          ['pitfall', 'strategy', 'tickets', 'sold', 'counter says left', 'verdict'],
          played.map((one) => [
            one.pitfall,
            one.variant,
            String(one.race.tickets),
            String(one.sold),
            String(one.available),
            verdictInWords(one),
          ]),
        )}
      </header>
      ${pitfalls.map(
        (pitfall) =>
          html`<h2>${pitfall.title}</h2>
            <p>${pitfall.goesWrong} Right: ${pitfall.isRightBecause}.</p>
            ${sections
              .filter((one) => one.pitfall === pitfall.name)
              .map((one) =>
                raceSection(one.race, one.id, {
                  title: `${one.variant === 'broken' ? 'Broken' : 'Right'}: ${toldInWords(one)}`,
                  verdict:
                    `${verdictInWords(one)}: ${count(one.sold, 'ticket')} of ${one.race.tickets} sold, ` +
                    `and the counter says ${one.available} left`,
                  isGood: one.variant === 'right' && one.isAsItMustBe,
                }),
              )}`,
      )}`,
    data: { races: raceData(sections) },
    styles: [raw(partOf('race.css'))],
    scripts: [raw(partOf('race.js'))],
  });
}

function partOf(name: string): string {
  return readFileSync(new URL(`../race/${name}`, import.meta.url), 'utf8');
}
