import { setTimeout as sleep } from 'node:timers/promises';

import { UserError } from '../stack/user-error.ts';

export type RuntimeName = 'docker' | 'native';

/** One real server, and the ways to hurt it. */
export interface Server extends AsyncDisposable {
  readonly runtime: RuntimeName;
  /** Stays the same for the life of the server, restarts included. */
  readonly url: string;
  readonly port: number;
  /** SIGKILL, as by a power cut: nothing is flushed, nothing is said to the clients. */
  kill(): Promise<void>;
  /** Asks it to shut down in order, and waits until it has. */
  stop(): Promise<void>;
  /** Starts it again on the same port, stopping it in order first if it runs. Keeps its data by default. */
  restart(options?: { keepData?: boolean }): Promise<void>;
  /** Freezes it: connections stay open and are even accepted, nothing is answered. */
  pause(): Promise<void>;
  resume(): Promise<void>;
}

/** What differs between one kind of server and another; the runtimes do the rest. */
export interface ServerKind {
  name: 'redis' | 'postgres';
  url: (port: number) => string;
  /** Resolves when the server answers a real question, rejects otherwise. Must be bounded in time. */
  probe: (url: string) => Promise<void>;
}

// A cold first start (a data directory to make, a slow disk, a busy machine) has been seen to take several
// seconds; one that takes longer than this will not come at all.
const startTimeoutMs = 60_000;
const probeIntervalMs = 20;

/** Polls until the server answers; gives up at once when it has died or says what the user is to do, and in any case after a minute. */
export async function waitUntilAnswering(
  kind: { name: string; probe: ServerKind['probe'] },
  url: string,
  running: { hasDied: () => boolean | Promise<boolean>; logTail: () => string | Promise<string> },
): Promise<void> {
  const deadline = performance.now() + startTimeoutMs;
  for (;;) {
    const failure = await kind.probe(url).then(
      () => null,
      (cause: unknown) => ({ cause }),
    );
    if (failure?.cause instanceof UserError) throw failure.cause;
    const died = await running.hasDied();
    // Of one that has ended another server has answered, which has taken its port.
    if (failure === null && !died) return;
    if (died || performance.now() > deadline) {
      const what = died ? 'ended while starting' : `did not answer within ${startTimeoutMs / 1_000} s`;
      throw new Error(`${kind.name} ${what}; its log ends with:\n${await running.logTail()}`, { ...failure });
    }
    await sleep(probeIntervalMs);
  }
}

// Between choosing a free port and binding it another process can take it. Twice in a row is bad luck, three
// times is something else.
const maxStarts = 3;

/** Runs a start that chooses its own port, and again with another port when that one was taken meanwhile. */
export async function retryWhenPortTaken<T>(start: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await start();
    } catch (error) {
      const taken = /address already in use|port is already allocated|bind for .* failed/i.test(
        String(error),
      );
      if (!taken || attempt === maxStarts) throw error;
    }
  }
}

/** Starts several at once. Those that have started end with the stack, also when another one fails. */
export async function startAll(
  stack: AsyncDisposableStack,
  count: number,
  start: (index: number) => Promise<Server>,
): Promise<Server[]> {
  const started = await Promise.allSettled(Array.from({ length: count }, (_, index) => start(index)));
  for (const one of started) if (one.status === 'fulfilled') stack.use(one.value);
  return started.map((one) => {
    if (one.status === 'rejected') throw one.reason;
    return one.value;
  });
}

/** Asks again and again until it is so. An error means "not yet". */
export async function waitUntil(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + startTimeoutMs;
  for (;;) {
    let cause: unknown;
    try {
      if (await isSo()) return;
    } catch (error) {
      cause = error;
    }
    if (performance.now() > deadline) {
      throw new Error(`waited ${startTimeoutMs / 1_000} s in vain until ${what}`, { cause });
    }
    await sleep(probeIntervalMs);
  }
}
