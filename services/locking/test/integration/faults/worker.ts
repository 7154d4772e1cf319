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
const locks = createQueueLock(redis, {
  ...JSON.parse(options),
  onEvent(event) {
    if (event.type === 'granted') report({ granted: event.token });
  },
});

let lease: Lease | undefined;
let wait = new AbortController();
let cycling: Promise<void> | undefined;
const until = { enough: false };
let longestWaitMs = 0;
let requests = 0;
const answers = new Map<number, (accepted: boolean) => void>();

process.on('message', (message: Order | Answer) => {
  if ('accepted' in message) {
    answers.get(message.request)?.(message.accepted);
    answers.delete(message.request);
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
      lease = await acquire(wait.signal);
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
    case 'enter':
    case 'leave':
      return askRoom(order.do, lease?.token ?? 0);
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
    const lease = await acquire();
    // Inside for most of the time, so that whoever is let in wrongly meets somebody.
    if (await askRoom('enter', lease.token)) {
      await sleep(5);
      await askRoom('leave', lease.token);
    }
    // What becomes of a lost lease is not this loop's concern: the room has turned it away.
    await lease.release().catch(() => undefined);
  }
}

/** Also a wait in vain is one. */
async function acquire(signal?: AbortSignal): Promise<Lease> {
  const sinceMs = performance.now();
  try {
    return await locks.acquire(name, signal && { signal });
  } finally {
    longestWaitMs = Math.max(longestWaitMs, performance.now() - sinceMs);
  }
}

function askRoom(what: 'enter' | 'leave', token: number): Promise<boolean> {
  requests += 1;
  const request = requests;
  report(what === 'enter' ? { enters: token, request } : { leaves: token, request });
  return new Promise((resolve) => {
    answers.set(request, resolve);
  });
}
