import type { Redis } from 'ioredis';

/** One lock library in the bench: how it is set up, and the one thing that is asked of it. */
export interface Contender {
  /** As it is chosen by `--only` and called in the JSON report. */
  readonly key: string;
  /** As the tables call it. */
  readonly title: string;
  /** A library that ours is measured against. */
  readonly isPeer: boolean;
  /** Has a queue of waiters; the others wait by trying, over and over. */
  readonly hasQueue: boolean;
  /** How many independent Redis servers it needs. */
  readonly servers: number;
  /** How it is set up, for the footnote: above all how it waits. */
  readonly settings: string;
  /** `clients`: connected, one for each server, and closed by the bench. */
  open(clients: readonly [Redis, ...Redis[]], options: OpenOptions): OpenLock;
}

export interface OpenOptions {
  /** Time between two tries, for those that wait by trying; undefined: the library's own default. */
  retryDelayMs: number | undefined;
}

export interface OpenLock {
  /** Runs the section under the lock, with the fencing token where the library has one. Waits as long as it takes. */
  withLock(name: string, section: Section): Promise<unknown>;
  /** The connections are cut right after. Whoever still waits must not go on trying for ever. */
  close(): Promise<void>;
}

/** What is done under the lock. */
export type Section = (token?: number) => Promise<void> | void;

/**
 * How long ours may wait: longer than any wait that the bench can bring about, as the peers are set up too. It is a
 * bench of waiting, not of giving up.
 */
export const patienceMs = 120_000;

/** All contenders hold a lock for so long without a sign of life, unless their library has a default of its own. */
export const ttlMs = 10_000;
