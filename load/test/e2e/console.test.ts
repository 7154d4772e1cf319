import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { request, type OutgoingHttpHeaders } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { nativeCluster } from '@lastseat/infra/cluster';
import { nativeRuntime } from '@lastseat/infra/native';
import { freePort } from '@lastseat/infra/servers';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { endWithTest } from '../../../infra/test/support/end-with-test.ts';
import { CHROMIUM, openChromium, openPage } from '../integration/chromium.ts';

const main = fileURLToPath(new URL('../../src/console/main.ts', import.meta.url));
const project = `lastseat-console-${process.pid}`;
const home = mkdtempSync(join(tmpdir(), 'console-test-'));
chmodSync(home, 0o755); // Postgres may be somebody else
afterAll(() => rmSync(home, { recursive: true, force: true }));

it('says in one line that nothing runs', async () => {
  const { child, said } = await startConsole(await freePort());
  expect(said).toBe('nothing is running: make up\n');
  expect(await exitCodeOf(child)).toBe(1);
});

describe.skipIf(CHROMIUM === undefined)('the console of a stack, in a browser (needs chromium)', () => {
  const silently = { home, report: () => {} };
  const runtime = nativeRuntime(project, silently);
  const cluster = nativeCluster(project, silently);
  let browser: Browser;
  beforeAll(async () => {
    browser = await openChromium();
    await runtime.up({ replicas: 2, port: await freePort(), quorum: 0 });
  });
  afterAll(async () => {
    await browser.close();
    await runtime.down({ volumes: true });
  });

  const stateOf = async (name: string) => (await cluster.parts()).find((part) => part.name === name)?.state;

  it('sells as Postgres counts it, and strikes what it is told to', async () => {
    const { url } = await start();
    const context = await browser.newContext({
      viewport: { width: 1180, height: 900 },
      colorScheme: 'light',
    });
    const { page, heard } = await openPage(await context.newPage(), url);

    expect(await sellOut(page, 'fenced-lock')).toMatch(/^✓ EXACT Exactly 3 tickets sold/);
    expect(await figure(page, 'sold, by rows')).toBe('3 of 3');
    const report = (await (await fetch(`${url}/report.json`)).json()) as Report;
    const [run] = report.runs;
    expect(run).toMatchObject({ guard: 'fenced-lock', bookings: 3, good: true, verdict: { word: 'EXACT' } });
    const sql = "select count(*)::int as rows from bookings where event_id = $1 and state = 'confirmed'";
    expect(await cluster.statement(sql, [run!.eventId])).toEqual([{ rows: 3 }]);
    expect(await figure(page, 'answered')).toBe(String(run!.requests.answered));
    // A lane for each answer, each booking with its token, and no write on top of another.
    expect(await page.locator('#over .lane').count()).toBe(run!.requests.answered);
    expect(await page.locator('#over .lane', { hasText: /booked, token …\d{5}/ }).count()).toBe(3);
    expect(await page.locator('#over .on-top').count()).toBe(0);

    await page.getByRole('button', { name: 'pause booking-2' }).click();
    await expect.poll(() => page.getAttribute('[data-part=booking-2]', 'data-state')).toBe('paused');
    await expect.poll(() => page.textContent('[data-part=booking-2]')).toContain('PAUSED');
    expect(await stateOf('booking-2')).toBe('paused');
    // The keyboard is where it was.
    await expect.poll(() => page.evaluate('document.activeElement.ariaLabel')).toBe('resume booking-2');
    await page.keyboard.press('Enter');
    await expect.poll(() => page.getAttribute('[data-part=booking-2]', 'data-state')).toBe('running');
    expect(await stateOf('booking-2')).toBe('running');

    await cluster.redis('redis', 'SET kept 1');
    await page.getByRole('button', { name: 'flush redis' }).click();
    await expect.poll(() => page.textContent('#said')).toContain('redis has lost everything it had');
    expect(await cluster.redis('redis', 'GET kept')).toBe('$-1\r\n');

    // A sale in which nothing guards the seats, seen on a phone in the dark.
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.setViewportSize({ width: 360, height: 800 });
    expect(await sellOut(page, 'no-lock')).toMatch(/^✗ OVERSOLD/);
    expect(await page.locator('#over .on-top').count()).toBeGreaterThan(0);
    expect(await page.evaluate('getComputedStyle(document.body).backgroundColor')).toBe('rgb(21, 23, 26)');
    const wide = 'document.documentElement.scrollWidth - document.documentElement.clientWidth';
    expect(await page.evaluate(wide)).toBe(0);
    await page.getByRole('button', { name: 'one moment on' }).click();
    expect(await page.locator('#over output').textContent()).toMatch(/ms: \w+( \d)? arrives$/);
    expect(heard).toEqual([]);
    await context.close();
  });

  it('does nothing for other pages, and refuses a port that is taken', async () => {
    const { url, port } = await start();
    const json = { 'content-type': 'application/json' };
    const own = { ...json, origin: url };
    const refused = { status: 403 };
    const kill = (headers: OutgoingHttpHeaders) => post(port, '/parts/booking-1/kill', headers);
    expect(await kill({ ...json, origin: 'http://evil.example' })).toMatchObject(refused);
    expect(await kill({ ...own, host: `evil.example:${port}` })).toMatchObject(refused);
    expect(await kill({ ...own, 'sec-fetch-site': 'cross-site' })).toMatchObject(refused);
    expect(await kill({ 'content-type': 'text/plain' })).toMatchObject(refused);
    expect((await fetch(`${url}/parts/booking-1/kill`)).status).toBe(404);
    expect(await stateOf('booking-1')).toBe('running');
    expect(await post(port, '/sell', own, '{"strategy":"no-lock","buyers":0}')).toMatchObject({
      status: 400,
      body: '{"error":"buyers: a whole number from 1 to 1000"}',
    });
    expect(await post(port, '/parts/booking-9/pause', own)).toMatchObject({ status: 409 });

    const second = await startConsole(port);
    expect(second.said).toBe(
      `port ${port} is taken by another program; choose another: make console CONSOLE_PORT=${port + 1}\n`,
    );
    expect(await exitCodeOf(second.child)).toBe(1);
  });

  it.each(['SIGINT', 'SIGHUP'] as const)('resumes what it has paused when %s ends it', async (signal) => {
    const { child, port, url } = await start();
    const headers = { 'content-type': 'application/json', origin: url };
    for (const part of ['booking-1', 'redis']) {
      expect(await post(port, `/parts/${part}/pause`, headers)).toMatchObject({ status: 200 });
      expect(await stateOf(part)).toBe('paused');
    }
    child.kill(signal);
    expect(await exitCodeOf(child)).toBe(0);
    expect(await stateOf('booking-1')).toBe('running');
    expect(await stateOf('redis')).toBe('running');
  });
});

interface Report {
  runs: { guard: string; eventId: number; bookings: number; requests: { answered: number } }[];
}

async function start() {
  const port = await freePort();
  const { child, said } = await startConsole(port);
  expect(said).toMatch(/^http:\/\/127\.0\.0\.1:\d+ is the console of /);
  return { child, port, url: `http://127.0.0.1:${port}` };
}

/** A console, and its first line; or all that it says before it ends. */
async function startConsole(port: number): Promise<{ child: ChildProcess; said: string }> {
  const env = { ...process.env, LASTSEAT_HOME: home, COMPOSE_PROJECT_NAME: project };
  const child = endWithTest(
    spawn(process.execPath, [main, `--port=${port}`], { env, stdio: ['ignore', 'pipe', 'pipe'] }),
  );
  const { promise, resolve } = Promise.withResolvers<string>();
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (said.endsWith('\n')) resolve(said);
    });
  }
  child.once('close', () => resolve(said));
  return { child, said: await promise };
}

async function exitCodeOf(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null) await once(child, 'exit');
  return child.exitCode;
}

/** Sells three tickets of a new event to 24 buyers; returns the verdict. */
async function sellOut(page: Page, strategy: string): Promise<string | null> {
  const before = await page.getAttribute('#verdict', 'data-event');
  await page.getByRole('combobox', { name: 'Strategy' }).selectOption(strategy);
  await page.getByRole('spinbutton', { name: 'Buyers' }).fill('24');
  await page.getByRole('spinbutton', { name: 'Tickets' }).fill('3');
  await page.getByRole('button', { name: 'Sell' }).click();
  const isDone = async (): Promise<boolean> =>
    !['', before].includes(await page.getAttribute('#verdict', 'data-event')) &&
    (await page.locator('#verdict strong').textContent()) !== '';
  await expect.poll(isDone, { timeout: 60_000 }).toBe(true);
  return page.textContent('#verdict');
}

function figure(page: Page, name: string): Promise<string | null> {
  return page.locator(`[data-figure="${name}"]`).textContent();
}

/** Not by `fetch`, which lets nobody choose the host. */
function post(port: number, path: string, headers: OutgoingHttpHeaders, body = '{}') {
  return new Promise<{ status: number | undefined; body: string }>((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, method: 'POST', headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.once('end', () => resolve({ status: response.statusCode, body: text }));
    });
    asked.once('error', reject);
    asked.end(body);
  });
}
