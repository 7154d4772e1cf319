import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import { lockWaitOf, mark, type BookingRequest, type LabStrategyDeps } from '@lastseat/booking/strategy';

import { tellThatWaits } from './gate.ts';

/** The lock of the textbook in pieces, so that each pitfall can leave one of them out. */
export interface Lease {
  key: string;
  /** Only its holder knows it. */
  id: string;
  /** Larger for every later holder. */
  token: number;
}

type Deps = Pick<LabStrategyDeps, 'redis' | 'lockWaitMs'>;

const POLL_MS = 10;

/** @param ttlMs null for a lock that never ends. @returns null if others hold it for as long as may be waited */
export async function acquire(
  deps: Deps,
  request: BookingRequest,
  ttlMs: number | null,
): Promise<Lease | null> {
  const { redis, lockWaitMs } = deps;
  const key = `pitfall-lock:${request.eventId}`;
  const id = randomUUID();
  const tryLock = () => (ttlMs === null ? redis.set(key, id, 'NX') : redis.set(key, id, 'PX', ttlMs, 'NX'));
  const giveUpAtMs = performance.now() + lockWaitOf(request, lockWaitMs);
  await mark('waits');
  for (let tries = 0; (await tryLock()) === null; tries += 1) {
    if (tries === 0) await tellThatWaits(deps, request);
    if (performance.now() > giveUpAtMs) return null;
    await sleep(POLL_MS, undefined, { signal: request.signal });
  }
  const token = await redis.incr(`${key}:token`);
  await mark('holds', token);
  return { key, id, token };
}

const DELETE_IF_OWN = `if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0`;

export async function release({ redis }: Pick<LabStrategyDeps, 'redis'>, { key, id }: Lease): Promise<void> {
  await redis.eval(DELETE_IF_OWN, 1, key, id);
  await mark('released');
}

/** Whosever it is. */
export async function releaseAnybodys(
  { redis }: Pick<LabStrategyDeps, 'redis'>,
  { key }: Pick<Lease, 'key'>,
): Promise<void> {
  await redis.del(key);
  await mark('released');
}

export const OTHERS_HOLD_IT = { code: 'busy', detail: 'Others hold the lock.' } as const;
