import { type Calls, isSendable } from '../client/calls.ts';
import { loadScript } from '../client/script.ts';
import type { ExtendOutcome } from '../lease-deadline.ts';
import type { ReleaseOutcome } from '../lease.ts';
import { lockKey } from '../lock-name.ts';

/** One of the independent servers of a quorum lock. Every call is bounded; a rejection means: unknown. */
export interface QuorumServer {
  /** Whether to ask it at all. What is sent during an outage is executed at its end. */
  isReachable(): boolean;
  take(name: string, id: string, ttlMs: number): Promise<TakeReply>;
  mint(name: string, id: string, token: number, ttlMs: number): Promise<MintReply>;
  extend(name: string, id: string, ttlMs: number): Promise<ExtendOutcome>;
  release(name: string, id: string): Promise<ReleaseOutcome>;
}

export type TakeReply =
  | { readonly taken: true; readonly lastToken: number; readonly clockUs: number }
  | { readonly taken: false; readonly holder: string };

export type MintReply = 'written' | 'not held' | { readonly refusedFor: number };

export interface QuorumServerOptions {
  keyPrefix: string;
  tokenMemoryMs: number;
}

const takeScript = loadScript('quorum-take');
const mintScript = loadScript('quorum-mint');
const extendScript = loadScript('extend');
const releaseScript = loadScript('release');

export const quorumScriptTexts = [takeScript, mintScript, extendScript, releaseScript].map(
  ({ text }) => text,
);

/** What each key of a name holds. */
export const quorumKeyTypes = [['string'], ['string']];

export function createQuorumServer(
  calls: Calls,
  { keyPrefix, tokenMemoryMs }: QuorumServerOptions,
): QuorumServer {
  const lock = (name: string) => lockKey(keyPrefix, name);
  const token = (name: string) => `${lockKey(keyPrefix, name)}:token`;
  return {
    isReachable: () => isSendable(calls.connection),

    async take(name, id, ttlMs) {
      const args = [id, `${ttlMs}`, `${ttlMs + tokenMemoryMs}`];
      const { reply } = await calls.run(takeScript, [lock(name), token(name)], args);
      const answer = reply as [0, string] | [1, number, number];
      if (answer[0] === 0) return { taken: false, holder: answer[1] };
      return { taken: true, lastToken: answer[1], clockUs: answer[2] };
    },

    async mint(name, id, candidate, ttlMs) {
      const args = [id, `${candidate}`, `${ttlMs + tokenMemoryMs}`];
      const { reply } = await calls.run(mintScript, [lock(name), token(name)], args);
      const answer = reply as [0] | [1] | [-1, number];
      if (answer[0] === -1) return { refusedFor: answer[1] };
      return answer[0] === 1 ? 'written' : 'not held';
    },

    async extend(name, id, ttlMs) {
      const args = [id, `${ttlMs}`, `${ttlMs + tokenMemoryMs}`];
      const { reply } = await calls.run(extendScript, [lock(name), token(name)], args);
      if (reply === 1) return 'held';
      return reply === 0 ? 'gone' : 'taken';
    },

    async release(name, id) {
      const { reply, mayHaveRunTwice } = await calls.run(releaseScript, [lock(name)], [id]);
      if (reply === 1 || mayHaveRunTwice) return 'released';
      return reply === 0 ? 'gone' : 'taken';
    },
  };
}
