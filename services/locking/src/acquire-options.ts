import type { AcquireOptions } from './lock.ts';
import { maxTimerMs } from './timers.ts';

/** `AcquireOptions` with every question answered and every answer checked. */
export interface AcquireSettings {
  readonly waitMs: number;
  readonly ttlMs: number;
  readonly renew: boolean;
  /** Infinity: no limit. */
  readonly maxHoldMs: number;
  readonly signal: AbortSignal | undefined;
  readonly tokenAbove: number;
}

export type AcquireDefaults = Pick<AcquireSettings, 'waitMs' | 'ttlMs' | 'renew' | 'maxHoldMs'>;

/**
 * The defaults of all algorithms. A TTL of 10 s: a dead holder delays the others by no more than that, and a pause
 * that a process normally survives (garbage collection, a slow disk) does not cost it the lease. A wait of 10 s: a
 * request that has waited longer has usually been given up by whoever sent it.
 */
export const acquireDefaults: AcquireDefaults = {
  waitMs: 10_000,
  ttlMs: 10_000,
  renew: true,
  maxHoldMs: Infinity,
};

/**
 * How long the last token of a name is remembered after its last lease. Each name that was ever locked costs a key for
 * so long. Tokens follow the clock of Redis, so the memory only matters when that clock is set back, by more than has
 * passed since the last token: ten minutes cover all by which a running clock is corrected, but not a mistaken time zone.
 * What a shorter memory costs is then a token smaller than the last one: a resource that keeps the fence refuses it, until
 * its caller asks again with `tokenAbove`.
 */
export const tokenMemoryDefaultMs = 600_000;

/** Half of the safe integers: later tokens still have room above it. The clock, in microseconds, gets there in 2112. */
const maxTokenAbove = 2 ** 52;

/** Below this, the drift allowance and one slow round trip eat the whole lease. */
export const minTtlMs = 10;

/**
 * @throws TypeError an option of the wrong type
 * @throws RangeError a negative or endless wait, a TTL out of bounds, an unsafe token
 */
export function acquireSettings(options: AcquireOptions, defaults: AcquireDefaults): AcquireSettings {
  const { waitMs = defaults.waitMs, ttlMs = defaults.ttlMs, renew = defaults.renew, signal } = options;
  const { maxHoldMs = defaults.maxHoldMs, tokenAbove = 0 } = options;
  checkNumber('waitMs', waitMs, 0, maxTimerMs);
  checkTtl(ttlMs);
  if (maxHoldMs !== Infinity) checkInteger('maxHoldMs', maxHoldMs, 1, maxTimerMs);
  checkInteger('tokenAbove', tokenAbove, 0, maxTokenAbove);
  if (typeof renew !== 'boolean') throw new TypeError(`renew must be a boolean, not ${typeof renew}.`);
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new TypeError('signal must be an AbortSignal.');
  }
  return { waitMs, ttlMs, renew, maxHoldMs, signal, tokenAbove };
}

export function checkTtl(ttlMs: number): void {
  checkInteger('ttlMs', ttlMs, minTtlMs, maxTimerMs);
}

export function checkInteger(name: string, value: number, min: number, max: number): void {
  checkNumber(name, value, min, max);
  if (!Number.isInteger(value)) throw new RangeError(`${name} must be an integer, not ${value}.`);
}

function checkNumber(name: string, value: number, min: number, max: number): void {
  if (typeof value !== 'number') throw new TypeError(`${name} must be a number, not ${typeof value}.`);
  // Written so that NaN fails too.
  if (!(value >= min && value <= max)) {
    throw new RangeError(`${name} must be from ${min} to ${max}, not ${value}.`);
  }
}
