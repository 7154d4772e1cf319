import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

import { chromium, type Browser, type Page } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];

/** The browser of the system, if it has one. Nothing is downloaded for a test. */
export const CHROMIUM: string | undefined = (process.env['PATH'] ?? '')
  .split(delimiter)
  .flatMap((folder) => NAMES.map((name) => join(folder, name)))
  .find((path) => existsSync(path));

export async function openChromium(): Promise<Browser> {
  return chromium.launch({
    ...(CHROMIUM === undefined ? {} : { executablePath: CHROMIUM }),
    args: ['--no-sandbox', '--disable-background-networking', '--disable-component-update'],
  });
}

/** Opens a page, and notes what it says to the console, what fails, and whom it asks but itself. */
export async function openPage(page: Page, address: string): Promise<{ page: Page; heard: string[] }> {
  const heard: string[] = [];
  page.on('console', (message) => heard.push(message.text()));
  page.on('pageerror', (error) => heard.push(String(error)));
  page.on('request', (request) => {
    const isOwn = [address, 'data:'].some((start) => request.url().startsWith(start));
    if (!isOwn) heard.push(request.url());
  });
  await page.goto(address);
  return { page, heard };
}
