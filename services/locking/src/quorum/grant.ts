import type { ExtendOutcome } from '../lease-deadline.ts';
import type { ReleaseOutcome } from '../lease.ts';
import type { QuorumServer, TakeReply } from './server.ts';
import { takeVote, type Vote } from './vote.ts';

/** The outcome of a try to obtain the lock on a majority. `unknown`: too few servers have answered. */
export type Obtained =
  | { readonly token: number }
  | { readonly takenBy: string | undefined }
  | { readonly unknown: unknown };

/** One try for one name, under one id of its own, and the lock on a majority of servers if it succeeds. */
export interface QuorumGrant {
  obtain(ttlMs: number, tokenAbove: number): Promise<Obtained>;
  extend(ttlMs: number): Promise<ExtendOutcome>;
  /** On all servers that were asked, answered or not; resolves as soon as a majority has. */
  release(): Promise<ReleaseOutcome>;
  /** Settles when no call is under way on any server. */
  settled(): Promise<unknown>;
}

/**
 * A second candidate is needed when a server has a larger token that it did not tell in time. A third one is hardly ever
 * needed.
 */
const maxCandidates = 3;

/**
 * Redlock on an odd number of independent servers (https://redis.io/docs/latest/develop/clients/patterns/distributed-locks/,
 * "The Redlock algorithm"), with a second round that mints a fencing token, which Redlock does not have.
 *
 * Round 1 takes the lock on a majority, and each server tells the last token written there and its clock. The
 * candidate is larger than all of those. Round 2 writes it on a majority, each server refusing unless the lock is
 * still held there and the candidate is larger than whatever is written there.
 *
 * Why the tokens of successive holders increase: let A's round 2 have ended before B's begins. Each wrote on a
 * majority, so there is a server where both wrote, B after A; it would have refused B's unless larger. This depends
 * neither on clocks nor on when locks expire. It does depend on what that server remembers: it may have lost its data, or
 * the memory of the token may be over. For that case each server refuses all tokens that are smaller than its clock was
 * when the lock was taken there. B took the lock on that server after A had written, so B's token is larger than its clock
 * at that moment. A's token was not larger than the clocks of before, as long as the clocks of the servers differ by less
 * than the time in between.
 */
export function createQuorumGrant(servers: readonly QuorumServer[], name: string, id: string): QuorumGrant {
  // A server that cannot be reached now would execute this when it is back, long after this try.
  const asked = servers.filter((server) => server.isReachable());
  // Calls to one server go out one after the other: a release never overtakes the taking that it is to undo.
  const lastCalls = new Map<QuorumServer, Promise<unknown>>();

  function ask<R>(
    call: (server: QuorumServer) => Promise<R>,
    agrees: (reply: R) => boolean,
  ): Promise<Vote<R>> {
    const replies = asked.map((server) => {
      const reply = (lastCalls.get(server) ?? Promise.resolve()).then(() => call(server));
      lastCalls.set(
        server,
        reply.catch(() => undefined),
      );
      return reply;
    });
    return takeVote(servers.length, replies, agrees);
  }

  return {
    async obtain(ttlMs, tokenAbove) {
      const round1 = await ask(
        (server) => server.take(name, id, ttlMs),
        (reply) => reply.taken,
      );
      if (!round1.carried) return notObtained(round1, servers.length);

      let candidate = largestToken(round1.replies, tokenAbove);
      for (let tried = 1; ; tried += 1) {
        const round2 = await ask(
          (server) => server.mint(name, id, candidate, ttlMs),
          (reply) => reply === 'written',
        );
        if (round2.carried) return { token: candidate };
        const refusedFor = round2.replies.map((reply) => (typeof reply === 'object' ? reply.refusedFor : 0));
        if (Math.max(0, ...refusedFor) < candidate || tried === maxCandidates) {
          return { unknown: noMajority(round2, servers.length) };
        }
        candidate = Math.max(...refusedFor) + 1;
      }
    },

    async extend(ttlMs) {
      const vote = await ask(
        (server) => server.extend(name, id, ttlMs),
        (reply) => reply === 'held',
      );
      if (vote.carried) return 'held';
      if (vote.refused) return vote.replies.includes('taken') ? 'taken' : 'gone';
      throw noMajority(vote, servers.length);
    },

    async release() {
      const vote = await ask(
        (server) => server.release(name, id),
        (reply) => reply === 'released',
      );
      if (vote.carried) return 'released';
      if (vote.refused) return vote.replies.includes('taken') ? 'taken' : 'gone';
      throw noMajority(vote, servers.length);
    },

    settled: () => Promise.all(lastCalls.values()),
  };
}

/** Larger than every token that these servers know of, and not smaller than their clocks. */
function largestToken(replies: readonly TakeReply[], tokenAbove: number): number {
  const floors = replies.flatMap((reply) => (reply.taken ? [reply.lastToken + 1, reply.clockUs] : []));
  return Math.max(tokenAbove + 1, ...floors);
}

function notObtained(vote: Vote<TakeReply>, servers: number): Obtained {
  // Where a majority did answer, it was contention: others hold the lock, or are trying at the same moment.
  if (vote.replies.length > servers / 2) {
    return { takenBy: vote.replies.find((reply) => !reply.taken)?.holder };
  }
  return { unknown: noMajority(vote, servers) };
}

function noMajority({ errors }: Vote<unknown>, servers: number): AggregateError {
  return new AggregateError(errors, `no majority: ${errors.length} of ${servers} servers did not answer`);
}
