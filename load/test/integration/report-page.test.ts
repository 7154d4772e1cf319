import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { figuresOf } from '#src/run-report/figures.ts';
import { reportHtml } from '#src/run-report/report-html.ts';

import { sampleRun } from '../unit/run-report/sample-run.ts';
import { CHROMIUM, openChromium, openPage } from './chromium.ts';

const run = sampleRun();

describe.skipIf(CHROMIUM === undefined)('the page of a run, in a browser (needs chromium)', () => {
  let browser: Browser;
  let folder = '';
  let address = '';
  beforeAll(async () => {
    browser = await openChromium();
    folder = mkdtempSync(join(tmpdir(), 'lastseat-report-'));
    writeFileSync(join(folder, 'report.html'), reportHtml([run, { ...run, id: 'before' }]));
    address = pathToFileURL(join(folder, 'report.html')).href;
  });
  afterAll(async () => {
    await browser.close();
    rmSync(folder, { recursive: true });
  });

  async function open(
    options: BrowserContextOptions = {},
  ): Promise<{ page: Page; heard: string[] } & AsyncDisposable> {
    const context = await browser.newContext(options);
    const opened = await openPage(await context.newPage(), address);
    return { ...opened, [Symbol.asyncDispose]: () => context.close() };
  }

  it.each([
    ['light', 1280],
    ['dark', 1280],
    ['light', 360],
    ['dark', 360],
  ] as const)(
    '%s, %i px wide: draws its charts, asks nobody, complains of nothing',
    async (colorScheme, width) => {
      await using opened = await open({ colorScheme, viewport: { width, height: 800 } });
      const { page, heard } = opened;
      // Two of scaling for each number of connections, and one of latency.
      expect(await page.locator('figure .uplot canvas').count()).toBe(5);
      expect(heard).toEqual([]);
      const wide = await page.evaluate(
        'document.documentElement.scrollWidth - document.documentElement.clientWidth',
      );
      expect(wide).toBe(0);
      const background = await page.evaluate('getComputedStyle(document.body).backgroundColor');
      expect(background).toBe(colorScheme === 'dark' ? 'rgb(21, 23, 26)' : 'rgb(252, 252, 251)');
      if (process.env['SCREENSHOTS']) {
        await page.screenshot({
          path: join(process.env['SCREENSHOTS'], `report-${colorScheme}-${width}.png`),
          fullPage: true,
        });
      }
    },
  );

  it('shows the numbers of run.json, and no other', async () => {
    await using opened = await open();
    const shown = await opened.page
      .locator('[data-cell]')
      .evaluateAll((cells) =>
        cells.map((cell) => [
          cell.getAttribute('data-cell'),
          cell.firstChild?.textContent?.replaceAll(',', ''),
        ]),
      );
    const figures = figuresOf(run).filter(({ rate }) => rate !== null);
    const expected = figures.map(({ strategy, replicas, connections, rate }) => [
      `${strategy} ${replicas} ${connections}`,
      String(rate),
    ]);
    expect(new Map(shown as [string, string][])).toEqual(new Map(expected as [string, string][]));
  });

  it('lets a keyboard reach a hatched cell and a choice, and reads the verdict first', async () => {
    await using opened = await open();
    const { page } = opened;
    expect(await page.locator('h2').first().textContent()).toMatch(/exact in 12 of 12 guarded cells/);
    await page.locator('.void').first().focus();
    expect(await page.evaluate('document.activeElement.title')).toMatch(/234 too many/);
    await page.getByRole('combobox', { name: 'Answers' }).selectOption('busy');
    expect(await page.locator('figure[data-chart=latency] .uplot').count()).toBe(1);
    expect(opened.heard).toEqual([]);
  });
});
