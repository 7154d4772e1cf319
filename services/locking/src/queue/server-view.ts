import type { Holder } from './store.ts';

/** Questions that were not answered, one after the other. */
export interface Silence {
  /** Why the last of them was not. */
  readonly cause: unknown;
  /** When the first of them was asked. */
  readonly sinceMs: number;
  readonly failures: number;
}

/** What Redis has said about a name, and for how long it has said nothing. */
export class ServerView {
  /** Who has the lock, as far as Redis said. */
  holder: string | undefined;
  heardMs = -Infinity;
  silence: Silence | undefined;
  /** The latest reply that said who has it instead of us, and when it was asked for. */
  #refusal: { sentAtMs: number; holderToken: number } | undefined;

  heard(nowMs: number): void {
    this.silence = undefined;
    this.heardMs = nowMs;
  }

  unheard(cause: unknown, sentAtMs: number): Silence {
    const { sinceMs, failures } = this.silence ?? { sinceMs: sentAtMs, failures: 0 };
    this.silence = { cause, sinceMs, failures: failures + 1 };
    return this.silence;
  }

  /** A reply that says: not `id`, but the holder of that token. Whatever was asked at that time, the reply is newer. */
  notHolder(id: string | undefined, { holder, holderToken }: Holder, sentAtMs: number): void {
    this.holder = holder;
    if (holder === id || holderToken === undefined) return;
    if (this.#refusal === undefined || sentAtMs > this.#refusal.sentAtMs) {
      this.#refusal = { sentAtMs, holderToken };
    }
  }

  /**
   * Since when at least Redis keeps a lock that was handed over to us: since the question that it last refused was sent.
   * We were made the holder after that.
   */
  get validSinceMs(): number {
    return this.#refusal?.sentAtMs ?? -Infinity;
  }

  /**
   * Whether a message is newer than the last reply that refused us: then we were made the holder after that was asked.
   * Tokens tell what is newer, as each grant has a larger one; a message that comes late, from a grant that we have
   * missed, has a smaller one than the present holder.
   */
  isCredible(token: number): boolean {
    return this.#refusal !== undefined && token > this.#refusal.holderToken;
  }

  /** What was said of one entry says nothing of the next one. */
  forgetEntry(): void {
    this.#refusal = undefined;
  }

  /** Nobody waits any more: who comes later is told nothing of the past. */
  forget(): void {
    this.holder = undefined;
    this.silence = undefined;
  }
}
