import { setTimeout as sleep } from 'node:timers/promises';

import { INSTANCE_HEADER, PROXY_INSTANCE_ID } from '@lastseat/booking/contract';

import type { Target } from './target.ts';
import type { Oracle } from './truth.ts';

/**
 * Who is there to take part. An answer may name any instance; that it is a process of its own is seen from Postgres,
 * where each replica is connected under its name.
 */

// nginx gives each question to the replica with the fewest: two for each, all at once, reach nearly all of them.
const QUESTIONS_FOR_EACH = 2;
// Of a stack of which nobody said how many replicas it has.
const REPLICAS_GUESSED = 8;
// After so many rounds without a new name, those that are missing are down, or nobody said how many there are.
const ROUNDS_WITHOUT_NEWS = 2;
const QUESTION_TIMEOUT_MS = 2_000;

/** The replicas that answer now. */
export async function rollCall({ url, replicas }: Target): Promise<Set<string>> {
  const seen = new Set<string>();
  let roundsWithoutNews = 0;
  while (roundsWithoutNews < ROUNDS_WITHOUT_NEWS && seen.size < (replicas ?? Infinity)) {
    const before = seen.size;
    const questions = QUESTIONS_FOR_EACH * (replicas ?? REPLICAS_GUESSED);
    const names = await Promise.all(Array.from({ length: questions }, () => askWhoAnswers(url)));
    for (const name of names) if (name !== null && name !== PROXY_INSTANCE_ID) seen.add(name);
    roundsWithoutNews = seen.size === before ? roundsWithoutNews + 1 : 0;
  }
  return seen;
}

/** Readiness is asked of Postgres, so that whoever answers has a connection to it. */
async function askWhoAnswers(url: string): Promise<string | null> {
  try {
    const response = await fetch(new URL('/readyz', url), {
      signal: AbortSignal.timeout(QUESTION_TIMEOUT_MS),
    });
    await response.arrayBuffer();
    return response.headers.get(INSTANCE_HEADER);
  } catch {
    return null;
  }
}

// A replica gives up a connection that is idle for ten seconds and opens one for the next question.
const CONNECT_TIMEOUT_MS = 3_000;
const POLL_MS = 50;

/** Those of the names under which somebody is connected to Postgres. */
export async function namesInPostgres(
  names: readonly string[],
  target: Target,
  oracle: Oracle,
): Promise<string[]> {
  const deadlineMs = performance.now() + CONNECT_TIMEOUT_MS;
  const found = new Set<string>();
  for (;;) {
    const connected = [...(await oracle.connected())];
    for (const name of names) if (connected.some((other) => isConnectionOf(name, other))) found.add(name);
    if (found.size === names.length || performance.now() > deadlineMs) return [...found];
    await rollCall(target);
    await sleep(POLL_MS);
  }
}

// What Postgres keeps of a name.
const MAX_NAME_LENGTH = 63;

/** A replica's pools may add a word of their own to its name. */
function isConnectionOf(instanceId: string, applicationName: string): boolean {
  const name = instanceId.slice(0, MAX_NAME_LENGTH);
  return applicationName === name || applicationName.startsWith(`${name} `);
}
