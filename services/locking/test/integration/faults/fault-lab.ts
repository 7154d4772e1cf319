import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

import { startFaultProxy, startRedis, type FaultProxy, type Server } from '@lastseat/infra/servers';
import { Redis } from 'ioredis';
import { expect } from 'vitest';

import type { Answer, Order, Report } from './orders.ts';
import { createRoom, type Room } from './room.ts';
import { callWitness, type Witness } from './witness.ts';

const lockKey = '{lock:seat}';

/** Everything so short that a fault is over in a few seconds. All bounds follow from these. */
export const ttlMs = 1_200;
export const pollMs = 100;
const tokenMemoryMs = 500;
/** What a busy machine may add to a bound: scheduling, and a process that has to be woken. */
export const slackMs = 5_000;

/**
 * How long the queue stands still after a death at most: the lock expires, the next waiter who looks does so within a
 * poll, and if the one whom it finds first is dead too, unnoticed as yet, its lock expires as well.
 */
export const deathMs = 2 * ttlMs + 2 * pollMs + slackMs;

/** Connections come back after a tenth of a second or two, and what was asked meanwhile is asked again. */
export const reconnectMs = 1_000;

type Command = Order extends infer O ? (O extends Order ? Omit<O, 'id'> : never) : never;

export interface Worker {
  readonly child: ChildProcess;
  /** Rejects with the name of the error, and of a lost lease why. */
  ask(command: Command): Promise<unknown>;
  /** Why its lease was aborted. */
  aborted: string | undefined;
  /** Ends it, or stops it until `resume()`. */
  kill(signal: 'SIGKILL' | 'SIGSTOP'): void;
  resume(): void;
}

export interface Grant {
  readonly worker: Worker;
  readonly token: number;
}

export interface FaultLab extends AsyncDisposable {
  readonly server: Server;
  readonly proxy: FaultProxy;
  readonly redis: Redis;
  readonly room: Room;
  readonly key: string;
  /** The tokens of all grants, as their holders told them. */
  readonly grants: readonly Grant[];
  /** Its leases last `ttlMs`, or as long as a test needs that is not about their end. */
  start(options?: { throughProxy?: boolean; leaseMs?: number }): Promise<Worker>;
  /** So many workers that take the lock, enter the room and give the lock back all the time. */
  startCycling(count: number): Promise<Worker[]>;
  /**
   * What must be true after every fault: no more holders met another in the room, and were refused by it, than have
   * lost their lease through the fault (`losses`, 0 by default); the tokens of all grants increased in the order in which
   * Redis gave them; nobody waited for longer than the bound; every process that lives ends by itself; nothing is left in
   * Redis.
   */
  settle(expected: { waitBoundMs: number; losses?: number }): Promise<void>;
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
  const witness = await callWitness(redis, lockKey);
  stack.defer(() => witness.close());
  let room = createRoom();
  let grants: Grant[] = [];
  let workers: Worker[] = [];
  stack.defer(() => {
    for (const { child } of workers) child.kill('SIGKILL');
  });

  async function start({ throughProxy = false, leaseMs = ttlMs } = {}): Promise<Worker> {
    const url = throughProxy ? proxy.through(server.url) : server.url;
    const worker = await startWorker(url, leaseMs, room, grants);
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
    key: lockKey,
    get grants() {
      return grants;
    },
    start,
    async startCycling(count) {
      const started = await Promise.all(Array.from({ length: count }, () => start()));
      await Promise.all(started.map((worker) => worker.ask({ do: 'cycle' })));
      return started;
    },
    async settle({ waitBoundMs, losses = 0 }) {
      const waits = await Promise.all(alive(workers).map((worker) => worker.ask({ do: 'enough' })));
      expect(Math.max(...(waits as number[]))).toBeLessThan(waitBoundMs);
      expect(room.met.size).toBeLessThanOrEqual(losses);
      expect(room.refused.size).toBeLessThanOrEqual(losses);
      await witness.catchUp();
      expectIncreasing(grants, witness);

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
      grants = [];
      room = createRoom();
      await proxy.heal();
      await redis.flushall();
      await witness.catchUp();
      witness.clear();
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

function alive(workers: Worker[]): Worker[] {
  return workers.filter(({ child }) => child.exitCode === null && child.signalCode === null);
}

/** Of any two grants, whoever they were for, the later one has the larger token. */
function expectIncreasing(grants: readonly Grant[], witness: Witness): void {
  const tokens = grants.map(({ token }) => token);
  expect(tokens.length).toBeGreaterThan(0);
  expect(new Set(tokens).size).toBe(tokens.length);
  const places = new Map(witness.tokens.map((token, place) => [token, place]));
  const placeOf = (token: number) => places.get(token) ?? -1;
  if (!witness.interrupted) expect(tokens.filter((token) => !places.has(token))).toEqual([]);
  const inOrder = tokens
    .filter((token) => places.has(token))
    .toSorted((one, other) => placeOf(one) - placeOf(other));
  expect(inOrder).toEqual(inOrder.toSorted((one, other) => one - other));
  // Also where nobody has seen what Redis did: each of them knows the order of its own.
  for (const own of Map.groupBy(grants, ({ worker }) => worker).values()) {
    const ownTokens = own.map(({ token }) => token);
    expect(ownTokens).toEqual(ownTokens.toSorted((one, other) => one - other));
  }
}

async function startWorker(url: string, leaseMs: number, room: Room, grants: Grant[]): Promise<Worker> {
  const options = {
    ttlMs: leaseMs,
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
    else if ('granted' in report) grants.push({ worker, token: report.granted });
    else {
      const accepted =
        'enters' in report ? room.enter(worker, report.enters) : room.leave(worker, report.leaves);
      child.send({ request: report.request, accepted } satisfies Answer);
    }
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
      if (signal === 'SIGKILL') room.vanish(worker);
      child.kill(signal);
    },
    resume: () => void child.kill('SIGCONT'),
  };
  // It answers as soon as it can be asked.
  await worker.ask({ do: 'cancel' });
  return worker;
}
