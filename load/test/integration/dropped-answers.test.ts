import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { createDatabase } from '@lastseat/infra/servers';
import { expect, inject, it, onTestFinished } from 'vitest';

import type { Operation } from '#src/history/operation.ts';

import { runNode } from '../../../infra/test/support/end-with-test.ts';
import { startReplica } from '../../../services/booking/test/support/replica.ts';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const migrate = fileURLToPath(new URL('../../../services/booking/src/migrate.ts', import.meta.url));

const BUYERS = 3_000;
const EVERY = 1_000;
// Three thousand bookings take a second or two alone, and many where others keep the machine busy.
const SLOW = { timeout: 150_000 };

it(
  'of a service that loses one answer in a thousand exactly those are unknown, and each is settled',
  SLOW,
  async () => {
    await using database = await createDatabase(inject('postgresUrl'), 'dropped');
    await runNode([migrate], { ...process.env, DATABASE_URL: database.url });
    const env = { DATABASE_URL: database.url, REDIS_URL: inject('redisUrl') };
    await using replica = await startReplica('dropped-answers', env);
    await using proxy = await startDroppingProxy(replica.url);
    const dir = mkdtempSync(join(tmpdir(), 'dropped-answers-'));
    onTestFinished(() => rmSync(dir, { recursive: true }));
    const path = join(dir, 'history.jsonl');

    // Enough tickets for all: what was lost was booked, and nobody has to wait until the service would have given it up.
    const what = [
      `--tickets=${BUYERS}`,
      `--buyers=${BUYERS}`,
      '--connections=16',
      '--strategy=atomic-update',
    ];
    const where = [`--url=${proxy.url}`, `--database-url=${database.url}`, '--replicas=1', '--timeout=60'];
    const how = ['--max-unknown=10', `--history=${path}`, '--json'];
    // One replica alone shows nothing, which is another exit code than 0.
    const { stdout } = await runNode([main, ...what, ...where, ...how], process.env).catch(
      (error: { stdout: string }) => error,
    );

    expect(proxy.dropped).toHaveLength(BUYERS / EVERY);
    const [run] = (JSON.parse(stdout) as { runs: Record<string, unknown>[] }).runs;
    expect(run).toMatchObject({
      requests: { unanswered: proxy.dropped.length, unknown: proxy.dropped.length },
      bookings: BUYERS,
      findings: [],
      settled: { done: proxy.dropped.length, notDone: 0, open: 0 },
    });
    const lines = readFileSync(path, 'utf8').trim().split('\n');
    const unknown = lines
      .map((line) => JSON.parse(line) as Operation)
      .filter(({ outcome }) => outcome === 'unknown');
    expect(new Set(unknown.map(({ customer }) => customer))).toEqual(new Set(proxy.dropped));
    expect(unknown.map(({ settled }) => settled)).toEqual(unknown.map(() => 'done'));
  },
);

/** Hands everything on, and cuts the connection in place of every thousandth answer that something was booked. */
async function startDroppingProxy(target: string) {
  const dropped: string[] = [];
  let bookings = 0;
  const server: Server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = [];
    const { method = 'GET', url = '/', headers } = incoming;
    const onwards = request(new URL(url, target), { method, headers }, (answer) => {
      // Who is told that the service is busy comes again; that is not what is lost here.
      if (answer.statusCode === 201 && url.startsWith('/book/') && (bookings += 1) % EVERY === 0) {
        dropped.push((JSON.parse(Buffer.concat(chunks).toString()) as { customer: string }).customer);
        answer.resume();
        outgoing.destroy();
        return;
      }
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    onwards.once('error', () => outgoing.destroy());
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk)).pipe(onwards);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    dropped,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
