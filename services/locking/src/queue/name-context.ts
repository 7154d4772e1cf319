import type { ReleaseOutcome } from '../lease.ts';
import type { CallersContext } from './callers.ts';
import type { KnownName } from './names.ts';
import type { Polled } from './poller.ts';
import type { QueueStore, ReleaseRequest } from './store.ts';
import type { TenureContext, TenureSettings } from './tenure.ts';

/** What all names of a lock service share. */
export interface NameContext extends CallersContext, TenureContext {
  readonly store: QueueStore;
  readonly settings: NameSettings;
  /**
   * An id never used before; messages for it reach this name from now on.
   * @param ttlMs for how long it wants the lock when it is made the holder
   */
  register(name: KnownName, ttlMs: number): EntryId;
  unregister(entry: EntryId): void;
  /** Asks now and then whether what a queued entry was told is still true. */
  startPolling(name: Polled, holderTtlMs: number): void;
  stopPolling(name: Polled): void;
  /** Ends whatever the id has. Rejects when the first attempt is not answered; goes on trying until one is. */
  release(name: string, number: number, request: ReleaseRequest): Promise<ReleaseOutcome>;
  /** Nobody waits for the name any more, and it has nothing in Redis. */
  forget(name: KnownName): void;
}

export interface NameSettings extends TenureSettings {
  /** The callers of one process share one entry in Redis. */
  readonly coalesce: boolean;
  /** How long the lock is kept, though nobody here wants it, while nobody else asks for it. */
  readonly lingerMs: number;
  /** How long Redis may be silent before those who wait are told. */
  readonly unavailableAfterMs: number;
}

export interface EntryId {
  readonly id: string;
  /** The part of the id that messages bring. */
  readonly number: number;
}
