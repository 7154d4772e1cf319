import { type Calls, isSendable } from '../client/calls.ts';
import { loadScript } from '../client/script.ts';
import {
  createHolderSteps,
  holderScripts,
  type HolderSteps,
  type HolderStepsOptions,
} from '../holder-steps.ts';

/** One of the independent servers of a quorum lock. Every call is bounded; a rejection means: unknown. */
export interface QuorumServer extends Pick<HolderSteps, 'extend' | 'release'> {
  /** Whether to ask it at all. What is sent during an outage is executed at its end. */
  isReachable(): boolean;
  take(name: string, id: string, ttlMs: number): Promise<TakeReply>;
  mint(name: string, id: string, token: number, ttlMs: number): Promise<MintReply>;
}

export type TakeReply =
  | { readonly taken: true; readonly lastToken: number; readonly clockUs: number }
  | { readonly taken: false; readonly holder: string };

export type MintReply = 'written' | 'not held' | { readonly refusedFor: number };

const takeScript = loadScript('quorum-take');
const mintScript = loadScript('quorum-mint');

export const quorumScriptTexts = [takeScript, mintScript, ...holderScripts].map(({ text }) => text);

export function createQuorumServer(calls: Calls, options: HolderStepsOptions): QuorumServer {
  const { tokenMemoryMs } = options;
  const { keysOf, extend, release } = createHolderSteps(calls, options);
  return {
    isReachable: () => isSendable(calls.connection),

    async take(name, id, ttlMs) {
      const args = [id, `${ttlMs}`, `${ttlMs + tokenMemoryMs}`];
      const { reply } = await calls.run(takeScript, keysOf(name), args);
      const answer = reply as [0, string] | [1, number, number];
      if (answer[0] === 0) return { taken: false, holder: answer[1] };
      return { taken: true, lastToken: answer[1], clockUs: answer[2] };
    },

    async mint(name, id, candidate, ttlMs) {
      const args = [id, `${candidate}`, `${ttlMs + tokenMemoryMs}`];
      const { reply } = await calls.run(mintScript, keysOf(name), args);
      const answer = reply as [0] | [1] | [-1, number];
      if (answer[0] === -1) return { refusedFor: answer[1] };
      return answer[0] === 1 ? 'written' : 'not held';
    },

    extend,
    release,
  };
}
