import type { Listeners } from './lock-events.ts';
import type { AcquireDefaultOptions, AcquireOptions } from './lock.ts';
import { maxTimerMs } from './timers.ts';

/** What every kind of lock may be told at its creation. */
export interface LockOptions extends AcquireDefaultOptions, Listeners {
  /**
   * How long the last token of a name is remembered after its last lease, in milliseconds (default ten minutes): by so
   * much the clock of Redis may be set back, and tokens still increase. 0 where the resource keeps the fence, and whoever
   * is refused by it asks again with `tokenAbove`; at least 1 for the quorum lock. A token that is ahead of the clock is
   * remembered until the clock has passed it.
   */
  tokenMemoryMs?: number | undefined;
  /** Stands before every name, so that several services can share a Redis. */
  keyPrefix?: string | undefined;
  /** How this process is called in `holder` and `query()`; made unique by itself. Default: host and process id. */
  clientId?: string | undefined;
  /** Told of a failing release that must not replace the outcome of `withLock`. */
  onReleaseFailed?: ((error: unknown) => void) | undefined;
}

/** `AcquireOptions`, checked, with the defaults in place of what is not given. */
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
 * How long the last token of a name is remembered after its last lease. Each name that was locked costs a key for so long.
 *
 * Tokens follow the clock of Redis. So this memory only matters when that clock is set back by more than the time since the
 * last token. A running clock is hardly ever corrected by ten minutes; a wrong time zone is more than that. If the last
 * token is forgotten too early, the next one is smaller. A resource that keeps the fence then refuses it, until its caller
 * asks again with `tokenAbove`.
 */
export const tokenMemoryDefaultMs = 600_000;

/** Half of the safe integers: later tokens still have room above it. The clock, in microseconds, gets there in 2112. */
const maxTokenAbove = 2 ** 52;

/** A shorter lease would be over after one slow round trip, less the drift that is allowed for. */
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

// ------------------------------------------------------------------------------------------ checks of what a lock is told

/**
 * Refuses wrong options when the lock is created. Later, nobody would see where the error comes from.
 * @throws TypeError in one sentence that names the option and says how to set it right
 */
export function checkLockOptions(
  client: { readonly keyPrefix: string },
  { keyPrefix, clientId, onEvent, onReleaseFailed }: LockOptions & { readonly keyPrefix: string },
): void {
  checkText('keyPrefix', keyPrefix);
  checkText('clientId', clientId ?? '');
  checkFunction('onEvent', onEvent ?? checkFunction);
  checkFunction('onReleaseFailed', onReleaseFailed ?? checkFunction);
  checkHashTag(keyPrefix, client.keyPrefix);
}

function checkText(name: string, value: unknown): void {
  if (typeof value !== 'string') throw new TypeError(`${name} must be a string, not ${typeof value}.`);
  // Redis stores UTF-8, where all lone surrogates are one and the same.
  if (!value.isWellFormed()) {
    throw new TypeError(`${name} must be well-formed Unicode (it has a lone surrogate).`);
  }
}

function checkFunction(name: string, value: unknown): void {
  if (typeof value !== 'function') throw new TypeError(`${name} must be a function, not ${typeof value}.`);
}

/**
 * A cluster keeps the keys of a name together by what stands between the first brace and the next one, unless that is
 * nothing. It must be something whatever the name is, an empty one or one with braces included.
 */
function checkHashTag(keyPrefix: string, outerPrefix: string): void {
  const beginning = `${outerPrefix}{${keyPrefix}`;
  const tag = beginning.slice(beginning.indexOf('{') + 1);
  if (tag !== '' && !tag.startsWith('}')) return;
  throw new TypeError(
    outerPrefix.includes('{')
      ? `keyPrefix of the Redis client, ${JSON.stringify(outerPrefix)}, must not have "{}" in it: a cluster could not keep the keys of a lock together.`
      : 'keyPrefix must not be empty or begin with "}", as in "lock:": a cluster could not keep the keys of a lock together.',
  );
}

// ------------------------------------------------------------------------------------------ options that do not exist

/** Typed so that an option which is added to the interface has to be added here. */
export type OptionNames<Options> = Readonly<Record<keyof Options, true>>;

const defaultOptionNames: OptionNames<AcquireDefaultOptions> = {
  waitMs: true,
  ttlMs: true,
  renew: true,
  maxHoldMs: true,
};

export const lockOptionNames: OptionNames<LockOptions> = {
  ...defaultOptionNames,
  tokenMemoryMs: true,
  keyPrefix: true,
  clientId: true,
  onReleaseFailed: true,
  onEvent: true,
  onRenewalFailed: true,
};

export const acquireOptionNames: OptionNames<AcquireOptions> = {
  ...defaultOptionNames,
  signal: true,
  tokenAbove: true,
};

/**
 * An option that is misspelt would do nothing, and nobody would know.
 * @throws TypeError names it, and the one that was probably meant
 */
export function checkKnown(options: object, known: Readonly<Record<string, true>>): void {
  for (const name in options) {
    if (Object.hasOwn(known, name)) continue;
    const names = Object.keys(known);
    const meant = nearest(name, names);
    const hint = meant === undefined ? `The options are ${names.join(', ')}.` : `Did you mean ${meant}?`;
    throw new TypeError(`There is no option ${JSON.stringify(name)}. ${hint}`);
  }
}

/** The name that shares most pairs of letters with the word, if that is at least half of them: `retryDelay`, `ttl_ms`. */
function nearest(word: string, names: readonly string[]): string | undefined {
  const [best] = names
    .map((name) => ({ name, likeness: likeness(pairs(word), pairs(name)) }))
    .filter(({ likeness }) => likeness >= 0.5)
    .toSorted((a, b) => b.likeness - a.likeness);
  return best?.name;
}

/** Dice's coefficient. */
function likeness(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  const shared = [...a].filter((pair) => b.has(pair)).length;
  return (2 * shared) / (a.size + b.size);
}

function pairs(word: string): Set<string> {
  const letters = word.toLowerCase().replaceAll(/[^a-z]/g, '');
  return new Set(Array.from(letters, (letter, i) => letter + (letters[i + 1] ?? '')));
}
