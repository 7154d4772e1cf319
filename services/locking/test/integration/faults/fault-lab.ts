import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

import { startFaultProxy, startRedis, type FaultProxy, type Server } from '@lastseat/infra/servers';
import { Redis } from 'ioredis';
import { expect } from 'vitest';

import type { Answer, Order, Report } from './orders.ts';
import { createRoom, type Room } from './room.ts';

/** Everything so short that a fault is over in a second. All bounds follow from these. */
export const ttlMs = 400;
export const pollMs = 100;
export const claimMs = 2 * pollMs;
const tokenMemoryMs = 500;
/** What a busy machine may add to a bound: scheduling, and a process that has to be woken. */
export const slackMs = 1_000;

/**
 * How long the queue stands still after a death at most: the lock expires, the next waiter who looks does so within a
 * poll, and if the one whom it finds first is dead too, its claim expires.
 */
export const deathMs = ttlMs + claimMs + 2 * pollMs + slackMs;

type Command = Order extends infer O ? (O extends Order ? Omit<O, 'id'> : never) : never;

export interface Worker {
  readonly child: ChildProcess;
  /** Rejects with the name of the error, and of a lost lease why. */
  ask(command: Command): Promise<unknown>;
  /** Why its lease was aborted. */
  aborted: string | undefined;
  /** Ends it, or stops it: from now on it does nothing in the room. */
  kill(signal: 'SIGKILL' | 'SIGSTOP'): void;
  resume(): void;
}

export interface FaultLab extends AsyncDisposable {
  readonly server: Server;
  readonly proxy: FaultProxy;
  readonly redis: Redis;
  readonly room: Room;
  readonly key: string;
  start(options?: { throughProxy?: boolean }): Promise<Worker>;
  /** So many workers that take the lock, enter the room and give the lock back all the time. */
  startCycling(count: number): Promise<Worker[]>;
  /**
   * What must be true after every fault: nobody met another in the room (if `exclusive`), tokens increased, nobody
   * waited for longer than the bound, every process that lives ends by itself, and nothing is left in Redis.
   */
  settle(expected: { waitBoundMs: number; exclusive?: boolean }): Promise<void>;
  /** Ends whatever a test that failed has left, so that the next one can be judged by itself. */
  clear(): Promise<void>;
}

export async function openFaultLab(): Promise<FaultLab> {
  const stack = new AsyncDisposableStack();
  const server = stack.use(await startRedis());
  const proxy = stack.use(await startFaultProxy(server.port));
  const redis = new Redis(server.url, { retryStrategy: () => 50 });
  redis.on('error', () => undefined);
  stack.defer(() => redis.disconnect());
  let room = createRoom();
  let workers: Worker[] = [];
  let cycling: Worker[] = [];
  stack.defer(() => {
    for (const { child } of workers) child.kill('SIGKILL');
  });

  async function start({ throughProxy = false } = {}): Promise<Worker> {
    const worker = await startWorker(throughProxy ? proxy.through(server.url) : server.url, room);
    workers.push(worker);
    return worker;
  }

  return {
    server,
    proxy,
    redis,
    get room() {
      return room;
    },
    key: '{lock:seat}',
    start,
    async startCycling(count) {
      const started = await Promise.all(Array.from({ length: count }, () => start()));
      await Promise.all(started.map((worker) => worker.ask({ do: 'cycle' })));
      cycling.push(...started);
      return started;
    },
    async settle({ waitBoundMs, exclusive = true }) {
      const waits = await Promise.all(alive(cycling).map((worker) => worker.ask({ do: 'enough' })));
      for (const waitMs of waits) expect(waitMs).toBeLessThan(waitBoundMs);
      expect([...room.admitted]).toEqual([...new Set(room.admitted)].sort((a, b) => a - b));
      if (exclusive) expect(room.meetings).toBe(0);

      await Promise.all(
        alive(workers).map(async ({ child, ask }) => {
          const exit = once(child, 'exit', { signal: AbortSignal.timeout(5_000) });
          await ask({ do: 'close' });
          child.disconnect();
          expect(await exit).toEqual([0, null]);
        }),
      );
      // The memory of the queue is the longest, after that of a token.
      await expect
        .poll(() => redis.keys('*'), { timeout: ttlMs + 14 * pollMs + tokenMemoryMs + slackMs })
        .toEqual([]);
    },
    async clear() {
      await Promise.all(
        alive(workers).map(async ({ child }) => {
          child.kill('SIGKILL');
          await once(child, 'exit');
        }),
      );
      workers = [];
      cycling = [];
      room = createRoom();
      await proxy.heal();
      await redis.flushall();
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

function alive(workers: Worker[]): Worker[] {
  return workers.filter(({ child }) => child.exitCode === null && child.signalCode === null);
}

async function startWorker(url: string, room: Room): Promise<Worker> {
  const options = {
    ttlMs,
    pollMs,
    tokenMemoryMs,
    waitMs: 20_000,
    commandTimeoutMs: 200,
    unavailableAfterMs: 20_000,
  };
  const child = fork(new URL('worker.ts', import.meta.url), [url, JSON.stringify(options)], { execArgv: [] });
  const answers = new Map<number, (report: Report) => void>();
  let orders = 0;
  child.on('message', (report: Report) => {
    if ('to' in report) answers.get(report.to)?.(report);
    else if ('aborted' in report) worker.aborted = report.aborted;
    else if ('left' in report) room.leave(worker);
    else child.send({ entry: report.entry, admitted: room.enter(worker, report.enters) } satisfies Answer);
  });

  const worker: Worker = {
    child,
    aborted: undefined,
    ask(command) {
      const id = ++orders;
      child.send({ id, ...command });
      return new Promise((resolve, reject) => {
        answers.set(id, (report) => {
          answers.delete(id);
          if ('error' in report) reject(new Error(`${report.error} ${report.why}`.trim()));
          else resolve('value' in report ? report.value : undefined);
        });
      });
    },
    kill(signal) {
      room.leave(worker);
      child.kill(signal);
    },
    resume: () => void child.kill('SIGCONT'),
  };
  // It answers as soon as it can be asked.
  await worker.ask({ do: 'cancel' });
  return worker;
}
