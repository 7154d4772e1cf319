import { type Calls, isSendable } from './client/calls.ts';
import { notConnected } from './client/errors.ts';
import { loadScript } from './client/script.ts';
import type { ExtendOutcome } from './lease-deadline.ts';
import type { ReleaseOutcome } from './lease.ts';
import { lockKey } from './lock-name.ts';

/** What the simple lock and each server of a quorum lock have in common: their keys, and what a holder asks for. */
export interface HolderSteps {
  /** The lock, which holds the id of its holder, and the last token of the name. */
  keysOf(name: string): readonly [lock: string, token: string];
  /** Lets the lock expire `ttlMs` from now if that id holds it. Not sent while the connection is down. */
  extend(name: string, id: string, ttlMs: number): Promise<ExtendOutcome>;
  /** Deletes the lock if that id holds it. */
  release(name: string, id: string): Promise<ReleaseOutcome>;
}

const extendScript = loadScript('extend');
const releaseScript = loadScript('release');

export const holderScripts = [extendScript, releaseScript];

/** What each key of a name holds. */
export const holderKeyTypes = [['string'], ['string']];

export interface HolderStepsOptions {
  readonly keyPrefix: string;
  readonly tokenMemoryMs: number;
}

export function createHolderSteps(
  calls: Calls,
  { keyPrefix, tokenMemoryMs }: HolderStepsOptions,
): HolderSteps {
  const { connection } = calls;

  function keysOf(name: string): readonly [string, string] {
    const lock = lockKey(keyPrefix, name);
    return [lock, `${lock}:token`];
  }

  return {
    keysOf,

    async extend(name, id, ttlMs) {
      // It would be executed at the end of the outage, and keep the lock for one who has perhaps gone since.
      if (!isSendable(connection)) throw notConnected(connection.link.state);
      const args = [id, `${ttlMs}`, `${ttlMs + tokenMemoryMs}`];
      const { reply } = await calls.run(extendScript, keysOf(name), args);
      if (reply === 1) return 'held';
      return reply === 0 ? 'gone' : 'taken';
    },

    async release(name, id) {
      const { reply, mayHaveRunTwice } = await calls.run(releaseScript, [keysOf(name)[0]], [id]);
      if (reply === 1 || mayHaveRunTwice) return 'released';
      return reply === 0 ? 'gone' : 'taken';
    },
  };
}
