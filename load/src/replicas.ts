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
// A connection stays for longer than this, unless its owner dies right after it was opened.
const WATCH_EVERY_MS = 100;

export interface Witness extends AsyncDisposable {
  /** Those of the names under which somebody is connected to Postgres, or was since the witness began to look. */
  found(names: readonly string[]): Promise<string[]>;
}

/** Looks from now on: a replica that is killed in the middle of a run has been a process of its own. */
export function watchConnections(target: Target, oracle: Oracle): Witness {
  const connected = new Set<string>();
  const stop = new AbortController();
  const look = async (): Promise<void> => {
    for (const name of await oracle.connected()) connected.add(name);
  };
  const watching = (async () => {
    while (!stop.signal.aborted) {
      // A Postgres that is away for a while is somebody else's finding.
      await look().catch(() => {});
      await sleep(WATCH_EVERY_MS, undefined, { signal: stop.signal }).catch(() => {});
    }
  })();
  const isConnected = (name: string): boolean => [...connected].some((other) => isConnectionOf(name, other));

  return {
    async found(names) {
      const deadlineMs = performance.now() + CONNECT_TIMEOUT_MS;
      for (;;) {
        await look();
        if (names.every(isConnected) || performance.now() > deadlineMs) return names.filter(isConnected);
        await rollCall(target);
        await sleep(POLL_MS);
      }
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await watching;
    },
  };
}

// What Postgres keeps of a name.
const MAX_NAME_LENGTH = 63;

/** A replica's pools may add a word of their own to its name. */
function isConnectionOf(instanceId: string, applicationName: string): boolean {
  const name = instanceId.slice(0, MAX_NAME_LENGTH);
  return applicationName === name || applicationName.startsWith(`${name} `);
}
