import { setTimeout as sleep } from 'node:timers/promises';

import { readInfo } from '@lastseat/lab-frame/redis-info.ts';
import { median } from '@lastseat/lab-frame/statistics.ts';
import { Redis } from 'ioredis';

import { nowMs } from './clock.ts';
import { collectGarbage } from './collect-garbage.ts';
import type { OpenLock } from './contender.ts';
import { contenderOf } from './contenders.ts';
import type { Failures } from './failures.ts';
import { openLock, type OpenPlan } from './open-lock.ts';

export interface CrowdPlan extends OpenPlan {
  few: number;
  many: number;
  /** How long hand-overs are timed, with the few and with the many. */
  windowMs: number;
}

export interface CrowdLog extends Failures {
  /** From one waiter's leaving the critical section to the next one's entering it, each. */
  fewHandOversMs: Float64Array;
  manyHandOversMs: Float64Array;
  /** What each of the many costs while it waits. */
  heapBytesPerWaiter: number;
  redisBytesPerWaiter: number;
}

/**
 * Many waiters of one process for one name: what each of them costs while it waits, and whether their number makes a
 * hand-over slower. They still wait at the end: this is for a process that is then thrown away.
 */
export async function measureCrowd(plan: CrowdPlan): Promise<CrowdLog> {
  const lock = await openLock(plan);
  const meters = plan.urls.map((url) => new Redis(url));

  const few = startCrowd(lock, plan.few);
  // As long again as is timed, for the compiler.
  await sleep(plan.windowMs);
  const fewHandOversMs = await few.timeHandOvers(plan.windowMs);
  await few.stop();

  const gate = await holdShut(lock);
  const heapBefore = await heapUsed();
  const redisBefore = await redisUsed(meters);
  const many = startCrowd(lock, plan.many);
  await calm(contenderOf(plan.contender).hasQueue ? queueLimitMs : tryingLimitMs);
  const heapBytes = (await heapUsed()) - heapBefore;
  const redisBytes = (await redisUsed(meters)) - redisBefore;

  const lost = await gate.open();
  await sleep(plan.windowMs);
  const manyHandOversMs = await many.timeHandOvers(plan.windowMs);
  return {
    fewHandOversMs,
    manyHandOversMs,
    heapBytesPerWaiter: heapBytes / plan.many,
    redisBytesPerWaiter: redisBytes / plan.many,
    failures: few.failures() + many.failures() + (lost === null ? 0 : 1),
    firstFailure: few.firstFailure() ?? many.firstFailure() ?? lost,
  };
}

const crowdName = 'seat-0';

/** Everything they have is shared, so that what a waiter costs is the library's doing, but for one promise each. */
function startCrowd(lock: OpenLock, size: number) {
  const stopped = Promise.withResolvers<void>();
  let waiting = size;
  let failures = 0;
  let firstFailure: string | null = null;
  let stopping = false;
  let timing: number[] | null = null;
  let leftMs = Number.NaN;

  function section(): void {
    const grantedMs = nowMs();
    if (timing && !Number.isNaN(leftMs)) timing.push(grantedMs - leftMs);
    leftMs = nowMs();
  }

  // Not a loop in an async function: its frame would be weighed too.
  function ask(): void {
    if (stopping) leave();
    else lock.withLock(crowdName, section).then(ask, fail);
  }

  function fail(error: unknown): void {
    failures += 1;
    firstFailure ??= String(error);
    leave();
  }

  function leave(): void {
    waiting -= 1;
    if (waiting === 0) stopped.resolve();
  }

  for (let waiter = 0; waiter < size; waiter += 1) ask();
  return {
    failures: () => failures,
    firstFailure: () => firstFailure,
    async timeHandOvers(windowMs: number): Promise<Float64Array> {
      leftMs = Number.NaN;
      timing = [];
      await sleep(windowMs);
      const timed = Float64Array.from(timing);
      timing = null;
      return timed;
    },
    stop(): Promise<void> {
      stopping = true;
      return stopped.promise;
    },
  };
}

/** Takes the lock and keeps it until the gate is opened, or until it is lost to a crowd that leaves no room for renewals. */
async function holdShut(lock: OpenLock) {
  const gate = Promise.withResolvers<void>();
  const held = Promise.withResolvers<void>();
  const failure = lock
    .withLock(crowdName, () => {
      held.resolve();
      return gate.promise;
    })
    .then(() => null, String);
  await Promise.race([held.promise, failure]);
  return {
    open(): Promise<string | null> {
      gate.resolve();
      return failure;
    },
  };
}

const calmCheckMs = 200;
// Ten thousand places in a line are taken in a second or two, even on a busy machine.
const queueLimitMs = 10_000;
// Whoever waits by trying is never calm; by then all of them have tried at least once.
const tryingLimitMs = 1_200;

/** Until this process has nothing left to do but wait, or longer than that should take. */
async function calm(withinMs: number): Promise<void> {
  const limitMs = nowMs() + withinMs;
  for (;;) {
    const before = process.cpuUsage();
    await sleep(calmCheckMs);
    const { user, system } = process.cpuUsage(before);
    // A tenth of the time is what a quiet process with its timers may use on a busy machine.
    if ((user + system) / 1e3 < calmCheckMs / 10 || nowMs() > limitMs) return;
  }
}

// What is under way at the moment (a try, a reply) differs from one look to the next.
const looks = 3;

async function heapUsed(): Promise<number> {
  const seen: number[] = [];
  for (let look = 0; look < looks; look += 1) {
    await sleep(20);
    collectGarbage();
    seen.push(process.memoryUsage().heapUsed);
  }
  return median(seen) ?? Number.NaN;
}

async function redisUsed(meters: readonly Redis[]): Promise<number> {
  const seen: number[] = [];
  for (let look = 0; look < looks; look += 1) {
    const used = await Promise.all(
      meters.map(async (meter) => readInfo(await meter.info('memory'), 'used_memory')),
    );
    seen.push(used.reduce((sum, bytes) => sum + bytes, 0));
  }
  return median(seen) ?? Number.NaN;
}
