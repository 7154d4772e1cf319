import { RefusedError } from '../client/errors.ts';
import { createLateReleases } from '../late-releases.ts';
import type { ReleaseOutcome } from '../lease.ts';
import type { LockEventListener } from '../lock-events.ts';
import type { Timers } from '../timers.ts';
import type { Released, NotHeld, QueueStore, ReleaseRequest } from './store.ts';

/** What nobody here wants any more and Redis may still have. */
export interface Releaser {
  /** Ends whatever the id has. Rejects when the first attempt is not answered; goes on trying until one is. */
  release(name: string, number: number, request: ReleaseRequest): Promise<ReleaseOutcome>;
  isUnderWay(number: number): boolean;
  /** The last token given away under an entry of which nobody knows whether it was released; 0: none, or not known. */
  lastTokenOf(number: number): number;
  /** Redis can be asked again. */
  recheck(): void;
  /** From now on everything is tried once only. */
  stop(): void;
  /** Waits for all that is under way. */
  settled(): Promise<void>;
}

/** So many are kept until they are forgotten: more than one outage leaves behind, and still next to nothing. */
const maxUnconfirmed = 10_000;

/**
 * So many are released at a time at most, however long an outage lasts. Each is what a caller has left behind, and costs no
 * more than one that waits.
 */
const maxUnderWay = 100_000;

/** One entry that is being released. */
interface Releasing {
  readonly number: number;
  /** Where it stands in the list. */
  slot: number;
  ended: Promise<unknown>;
}

export function createReleaser(
  store: QueueStore,
  timers: Timers,
  emit: LockEventListener | undefined,
): Releaser {
  // A list, not a map by number: it is changed for each lock, and nearly never searched.
  const underWay: Releasing[] = [];
  /** The last token of entries of which nobody knows whether they were released. */
  const unconfirmed = new Map<number, number>();
  const lateReleases = createLateReleases(timers);
  let stopped = false;

  function end({ slot }: Releasing): void {
    const last = underWay.pop();
    if (last === undefined || slot === underWay.length) return;
    underWay[slot] = last;
    last.slot = slot;
  }

  function release(name: string, number: number, request: ReleaseRequest): Promise<ReleaseOutcome> {
    const first = store.release(name, request).then(
      (reply) => {
        end(releasing);
        return released(name, number, reply);
      },
      (error: unknown) => {
        if (error instanceof RefusedError) end(releasing);
        else releasing.ended = releaseLater(name, number, request).finally(() => end(releasing));
        throw error;
      },
    );
    const releasing: Releasing = { number, slot: underWay.length, ended: first };
    underWay.push(releasing);
    return first;
  }

  function released(name: string, number: number, reply: Released | NotHeld): ReleaseOutcome {
    if (unconfirmed.size > 0) unconfirmed.delete(number);
    if (reply.is === 'released' && reply.handedOver) emit?.({ type: 'handed-over', lock: name });
    return reply.is;
  }

  /**
   * There is no time after which it can be left alone: a Redis that is silent may yet do what it was asked for before.
   */
  function releaseLater(name: string, number: number, request: ReleaseRequest): Promise<void> {
    if (request.lastToken !== undefined && request.lastToken > 0) unconfirmed.set(number, request.lastToken);
    for (const oldest of unconfirmed.keys()) {
      if (unconfirmed.size <= maxUnconfirmed) break;
      unconfirmed.delete(oldest);
    }
    return lateReleases.repeat(
      async () => released(name, number, await store.release(name, request)),
      () => stopped || underWay.length > maxUnderWay,
    );
  }

  return {
    release,
    isUnderWay: (number) => underWay.some((releasing) => releasing.number === number),
    lastTokenOf: (number) => unconfirmed.get(number) ?? 0,
    recheck: () => lateReleases.wake(),
    stop() {
      stopped = true;
    },
    async settled() {
      lateReleases.wake();
      // Once more, since what was not answered is tried again until then.
      await Promise.allSettled(underWay.map(({ ended }) => ended));
      await Promise.allSettled(underWay.map(({ ended }) => ended));
    },
  };
}
