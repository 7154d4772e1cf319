import { setTimeout as sleep } from 'node:timers/promises';

import { Redis } from 'ioredis';

import { createQueueLock, LockLostError, type Lease } from '#src/index.ts';

import type { Answer, Order, Report } from './orders.ts';

// A process of its own, under orders: it can be killed, stopped and blocked like any other. It ends by itself once it
// has closed its locks and nobody is connected to it, unless something was left behind.
const [url = '', options = '{}'] = process.argv.slice(2);
const name = 'seat';
const redis = new Redis(url, { retryStrategy: (attempt) => Math.min(20 * attempt, 200) });
redis.on('error', () => undefined);
const locks = createQueueLock(redis, JSON.parse(options));

let lease: Lease | undefined;
let wait = new AbortController();
let cycling: Promise<void> | undefined;
const until = { enough: false };
let longestWaitMs = 0;
let entries = 0;
const admissions = new Map<number, (admitted: boolean) => void>();

process.on('message', (message: Order | Answer) => {
  if ('admitted' in message) {
    admissions.get(message.entry)?.(message.admitted);
    admissions.delete(message.entry);
    return;
  }
  obey(message).then(
    (value) => report({ to: message.id, value }),
    (error: Error) =>
      report({ to: message.id, error: error.name, why: error instanceof LockLostError ? error.why : '' }),
  );
});

function report(what: Report): void {
  process.send?.(what);
}

async function obey(order: Order): Promise<unknown> {
  switch (order.do) {
    case 'acquire': {
      wait = new AbortController();
      lease = await locks.acquire(name, { signal: wait.signal });
      const { signal } = lease;
      signal.addEventListener('abort', () => report({ aborted: (signal.reason as LockLostError).why }));
      return lease.token;
    }
    case 'cancel':
      wait.abort();
      return undefined;
    case 'assert':
      lease?.assertHeld();
      return undefined;
    case 'release':
      return lease?.release();
    case 'extend and release': {
      const outcomes = await Promise.allSettled([lease?.extend(), lease?.release()]);
      return outcomes[1]?.status;
    }
    case 'block': {
      const untilMs = performance.now() + order.ms;
      while (performance.now() < untilMs);
      // The very next line, before any timer could run.
      lease?.assertHeld();
      return undefined;
    }
    case 'cycle':
      cycling = cycle();
      return undefined;
    case 'enough':
      until.enough = true;
      await cycling;
      return longestWaitMs;
    case 'close':
      await locks[Symbol.asyncDispose]();
      redis.disconnect();
      return undefined;
  }
}

/** Takes the lock, enters the room that it guards, leaves it, gives the lock back; over and over. */
async function cycle(): Promise<void> {
  while (!until.enough) {
    const sinceMs = performance.now();
    const lease = await locks.acquire(name);
    longestWaitMs = Math.max(longestWaitMs, performance.now() - sinceMs);
    // Inside for most of the time, so that whoever is let in wrongly meets somebody.
    if (await enter(lease.token)) await sleep(5);
    report({ left: lease.token });
    // What becomes of a lost lease is not this loop's concern: the room has turned it away.
    await lease.release().catch(() => undefined);
  }
}

function enter(token: number): Promise<boolean> {
  entries += 1;
  report({ enters: token, entry: entries });
  return new Promise((resolve) => {
    admissions.set(entries, resolve);
  });
}
