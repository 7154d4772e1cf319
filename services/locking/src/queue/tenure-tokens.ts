import type { Extended, Grant } from './store.ts';

/**
 * The tokens of one grant: the first one is that of the grant, the next ones are given to the callers who follow one
 * another under it without asking Redis, each larger than the one before.
 *
 * They are never ahead of the clock of Redis: its time at the grant, plus what has passed since, less 1 % as the clocks may
 * differ. Suppose that Redis loses all its data while this process still holds the lock. The next holder then gets the time
 * of Redis as its token, and that is larger than all tokens that were given away here before.
 */
export class TenureTokens {
  /** The last one that was given away; before the first one, one less than that. */
  last: number;
  readonly first: number;
  #reserved: number;
  readonly #clockUs: number;
  readonly #atMs: number;

  constructor(grant: Grant, nowMs: number) {
    this.first = grant.token;
    this.last = grant.token - 1;
    this.#reserved = grant.reserved;
    this.#clockUs = grant.clockUs;
    this.#atMs = nowMs;
  }

  /**
   * Redis is about to be asked to keep the lock for that time, perhaps a shorter one than before: then fewer tokens will
   * be reserved.
   * @returns the last one that may be given away until the answer comes; undefined: none are reserved
   */
  limit(nowMs: number, ttlMs: number): number | undefined {
    if (!this.reserves) return undefined;
    const enough = Math.max(this.#clockAt(nowMs) + ttlMs * 1_000, this.last + 1_000);
    this.#reserved = Math.min(this.#reserved, enough);
    return this.#reserved;
  }

  /** Undefined: none is left that was reserved for us; only Redis can mint another. */
  next(nowMs: number, tokenAbove: number): number | undefined {
    const least = this.last < this.first ? this.first : Math.max(this.last + 1, this.#clockAt(nowMs));
    const token = Math.max(least, tokenAbove + 1);
    if (token > this.#reserved) return undefined;
    this.last = token;
    return token;
  }

  /** Whether more tokens were reserved than the first. */
  get reserves(): boolean {
    return this.#reserved > this.first;
  }

  prolonged({ reserved }: Extended): void {
    if (this.reserves) this.#reserved = reserved;
  }

  /** What the clock of Redis shows at least. */
  #clockAt(nowMs: number): number {
    return this.#clockUs + Math.floor((nowMs - this.#atMs) * 990);
  }
}
