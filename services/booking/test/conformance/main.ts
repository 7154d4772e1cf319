import { AssertionError } from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

import { pino } from 'pino';

import { loadLabStrategies } from '#src/booking/lab-strategies.ts';
import type { Strategy } from '#src/booking/strategy.ts';
import { readConfig } from '#src/config.ts';
import { openContext, type Context } from '#src/context.ts';
import { STRATEGY_NAMES } from '#src/contract.ts';

import { lookInto } from '../support/rows.ts';
import type { ConformanceCase, Rig } from './case.ts';
import { CONFORMANCE, sellLastTicket } from './cases.ts';

const READY_WITHIN_MS = 10_000;
const POLL_MS = 20;

// Twice what a booking may take.
const CASE_WITHIN_MS = 20_000;
const HUNG = `it was not over after ${CASE_WITHIN_MS / 1_000} s`;

/**
 * The cases of conformance for strategies in files, without a test runner: DATABASE_URL and REDIS_URL name the servers, the
 * arguments the files. Prints a line of JSON for each case: `strategy`, `title`, and `detail`, null where it passed.
 */
const env = { LAB_MODE: 'on', ...process.env };
const files = await loadLabStrategies(process.argv.slice(2));

await using opened = new AsyncDisposableStack();
const here = open('conformance-1');
const there = open('conformance-2');
await Promise.all([untilReady(here), untilReady(there)]);
const rig: Rig = { here, there, db: here.db, rows: lookInto(here.db) };

const strategies = [...here.strategies.values()];
const asked = strategies.filter(({ name }) => !STRATEGY_NAMES.some((our) => our === name));
for (const strategy of asked) await tryOut(strategy);
// What has hung holds connections, and would keep the process.
process.exit();

function open(instanceId: string): Context {
  const config = readConfig({ ...env, INSTANCE_ID: instanceId });
  return opened.use(openContext(config, pino({ level: 'silent' }), { labStrategies: files }));
}

async function untilReady(context: Context): Promise<void> {
  const deadlineMs = performance.now() + READY_WITHIN_MS;
  for (;;) {
    const [failed] = await context.failedChecks();
    if (failed === undefined) return;
    if (performance.now() > deadlineMs) throw new Error(failed.what, { cause: failed.cause });
    await sleep(POLL_MS);
  }
}

async function tryOut(strategy: Strategy): Promise<void> {
  const { name } = strategy;
  for (const { title, isFor, run } of [...CONFORMANCE, isExactBeside(strategy)]) {
    if (isFor?.(strategy) === false) continue;
    const detail = await failureOf(run(rig, name));
    console.log(JSON.stringify({ strategy: name, title, detail }));
    // Its bookings are still under way, and would spoil the next case.
    if (detail === HUNG) return;
  }
}

/** What promises to be exact is so beside all others that do. One Redis is no quorum: that one is left out. */
function isExactBeside({ name }: Strategy): ConformanceCase {
  return {
    title: 'is exact beside each of the others',
    isFor: ({ guarantee }) => guarantee === 'always',
    async run(rig) {
      const always = strategies.filter(
        (other) => other.guarantee === 'always' && other.name !== 'quorum-lock',
      );
      const pairs = always.flatMap((other) => [
        [name, other.name],
        [other.name, name],
      ]);
      const sales = await Promise.all(
        pairs.map(([first = '', second = '']) => sellLastTicket(rig, first, second)),
      );
      const wrong = sales.find(({ isExact }) => !isExact);
      if (wrong === undefined) return;
      const { first, second, outcomes, rows, available } = wrong;
      const told = outcomes.join(' and ');
      throw new Error(
        `${first} had decided on the last ticket when ${second} began: they were told ${told}; ` +
          `${rows} booked, and the counter says ${available}`,
      );
    },
  };
}

/** Null if it passed. */
async function failureOf(run: Promise<void>): Promise<string | null> {
  const tooLate = sleep(CASE_WITHIN_MS, HUNG, { ref: false });
  return Promise.race([run.then(() => null, inWords), tooLate]);
}

function inWords(error: unknown): string {
  if (!(error instanceof AssertionError)) return error instanceof Error ? error.message : String(error);
  if (!error.generatedMessage) return error.message;
  return `expected ${JSON.stringify(error.expected)}, found ${JSON.stringify(error.actual)}`;
}
