import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { racePage } from '#src/race/race-page.ts';

import { guardedRace, unguardedRace } from '../unit/race/sample-race.ts';
import { CHROMIUM, openChromium, openPage } from './chromium.ts';

describe.skipIf(CHROMIUM === undefined)('the page of a race, in a browser (needs chromium)', () => {
  let browser: Browser;
  let folder = '';
  let address = '';
  beforeAll(async () => {
    browser = await openChromium();
    folder = mkdtempSync(join(tmpdir(), 'lastseat-race-'));
    writeFileSync(join(folder, 'race.html'), racePage([unguardedRace(), guardedRace()]));
    address = pathToFileURL(join(folder, 'race.html')).href;
  });
  afterAll(async () => {
    await browser.close();
    rmSync(folder, { recursive: true });
  });

  async function open(
    width: number,
    colorScheme: 'light' | 'dark',
  ): Promise<{ page: Page; heard: string[] }> {
    return openPage(await browser.newPage({ viewport: { width, height: 800 }, colorScheme }), address);
  }

  it.each([
    ['light', 1280],
    ['dark', 360],
  ] as const)(
    '%s, %i px wide: one sees two reads overlap without a lock, and none under it',
    async (scheme, width) => {
      const { page, heard } = await open(width, scheme);
      const [first, second] = await drawn(page, 'race-1');
      expect(second!.from).toBeLessThan(first!.to);
      expect(await page.locator('#race-1 .on-top').count()).toBe(1);
      expect(await drawn(page, 'race-2')).toHaveLength(1);
      expect(await page.locator('#race-2 .on-top').count()).toBe(0);
      expect(await page.locator('#race-2 .waits').count()).toBe(2);
      const wide = await page.evaluate(
        'document.documentElement.scrollWidth - document.documentElement.clientWidth',
      );
      expect(wide).toBe(0);
      expect(heard).toEqual([]);
      await page.close();
    },
  );

  it('can be stepped through with buttons and keys, and one buyer followed', async () => {
    const { page, heard } = await open(1280, 'light');
    const race = page.locator('#race-1');
    await race.getByRole('button', { name: 'one moment on' }).click();
    expect(await race.locator('output').textContent()).toBe('0.0 ms: ada arrives');
    expect(await race.locator('[data-span=writes]').first().isVisible()).toBe(false);
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowLeft');
    expect(await race.locator('output').textContent()).toMatch(/^1\.0 ms: /);
    await race.locator('.lane').nth(1).focus();
    expect(await race.locator('.followed title').textContent()).toMatch(
      /^bob: booked; its write landed on top of that of ada/,
    );
    await race.getByRole('button', { name: 'Play' }).click();
    await expect.poll(() => race.locator('output').textContent()).toBe('37.0 ms: eve is answered: sold_out');
    expect(heard).toEqual([]);
    await page.close();
  });
});

/** From the read to the end of the write of each booking, as it is drawn. */
async function drawn(page: Page, race: string): Promise<{ from: number; to: number }[]> {
  const lanes = await page.locator(`#${race} .lane:has(.writes)`).all();
  return Promise.all(
    lanes.map(async (lane) => {
      const read = await lane.locator('.decides').boundingBox();
      const write = await lane.locator('.writes').boundingBox();
      return { from: read!.x, to: write!.x };
    }),
  );
}
