import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { pitfallsPage } from '#src/pitfalls/pitfalls-page.ts';
import { PITFALLS } from '#src/pitfalls/pitfalls.ts';
import type { Played } from '#src/pitfalls/played.ts';
import type { Race } from '#src/race/race.ts';

import { guardedRace, unguardedRace } from '../unit/race/sample-race.ts';
import { CHROMIUM, openChromium, openPage } from './chromium.ts';

/** Each pitfall with the same two races: what is looked at is the page. */
const played: Played[] = PITFALLS.flatMap(({ name }) => [
  playedAs(name, 'broken', unguardedRace()),
  playedAs(name, 'right', guardedRace()),
]);

function playedAs(pitfall: string, variant: Played['variant'], race: Race): Played {
  return {
    pitfall,
    variant,
    strategy: `${pitfall}-${variant}`,
    sold: race.rows,
    expected: race.rows,
    available: race.available,
    told: race.buyers.map(({ customer, outcome }) => ({ customer, outcome: outcome ?? 'nothing' })),
    isAsItMustBe: true,
    race,
  };
}

describe.skipIf(CHROMIUM === undefined)('the page of pitfalls, in a browser (needs chromium)', () => {
  let browser: Browser;
  let folder = '';
  let address = '';
  beforeAll(async () => {
    browser = await openChromium();
    folder = mkdtempSync(join(tmpdir(), 'lastseat-pitfalls-'));
    writeFileSync(join(folder, 'pitfalls.html'), pitfallsPage(PITFALLS, played));
    address = pathToFileURL(join(folder, 'pitfalls.html')).href;
  });
  afterAll(async () => {
    await browser.close();
    rmSync(folder, { recursive: true });
  });

  it.each([
    ['light', 1280],
    ['dark', 360],
  ] as const)(
    '%s, %i px wide: each pitfall is there twice, fits, and can be stepped through',
    async (colorScheme, width) => {
      const viewport = { width, height: 800 };
      const { page, heard } = await openPage(await browser.newPage({ viewport, colorScheme }), address);
      const colours = await page.evaluate<[text: string, background: string]>(
        '[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]',
      );
      const [text, background] = colours.map(brightness);
      expect(text! < background!, 'dark on light').toBe(colorScheme === 'light');

      expect(await page.locator('header tbody tr').count()).toBe(2 * PITFALLS.length);
      expect(await page.locator('section.race').count()).toBe(2 * PITFALLS.length);
      expect(await page.locator('section.race .verdict.good').count()).toBe(PITFALLS.length);
      expect(await page.locator('#race-1 .on-top').count()).toBe(1);
      expect(await page.locator('#race-2 .on-top').count()).toBe(0);
      const last = page.locator('section.race').last();
      await last.getByRole('button', { name: 'one moment on' }).click();
      expect(await last.locator('output').textContent()).toBe('0.0 ms: ada arrives');

      const wide = 'document.documentElement.scrollWidth - document.documentElement.clientWidth';
      expect(await page.evaluate(wide)).toBe(0);
      expect(heard).toEqual([]);
      await page.close();
    },
  );
});

/** Of `rgb(12, 34, 56)`. */
function brightness(colour: string): number {
  return (colour.match(/[\d.]+/g) ?? []).slice(0, 3).reduce((sum, part) => sum + Number(part), 0);
}
