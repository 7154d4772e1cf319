import type { Guarantee } from '@lastseat/booking/contract';
import type { Cluster } from '@lastseat/infra/cluster';
import { UserError } from '@lastseat/infra/command-line';

/**
 * Something that goes wrong in a running system, and then is well again: while buyers come steadily a fault strikes, it is
 * mended, and everything that was said and sold is judged. A file of `drills/` each; `drills.ts` lists them.
 */
export interface Drill {
  name: string;
  /** In one sentence, what is done. */
  what: string;
  /** A guard that promises less may break under it. */
  breaks: readonly Guarantee[];
  /** A guard that promises less must be seen to break: what strikes nobody shows nothing. */
  mustBreak?: readonly Guarantee[];
  /** It strikes the servers of the quorum lock, which a run without that lock has not. */
  needsQuorum?: boolean;
  /** Bookings are held between their read and their write when it strikes, and others want the same tickets. */
  holds?: boolean;
  /** It meets all that is held, not only what one replica holds. */
  strikesAll?: boolean;
  /** What its stack must have that others do without. */
  needs?: Need;
  /** What it strikes: two that strike different parts can strike at the same time. Without it, it strikes alone. */
  where?: 'replicas' | 'redis' | 'quorum' | 'postgres' | 'nginx';
  /** It is planned work, not an accident: every request is answered, and answered properly. */
  failsNothing?: boolean;
  /** From the strike until it is healed, at least and at most: drawn for each strike. */
  lastsMs: readonly [least: number, most: number];
  /** What must be left of the throughput from before: from the strike until it is healed, and after that. */
  floors: { during: number; after: number };
  /** From the strike on somebody buys again after so long at most, healed or not: what it is to show. */
  sellsWithinMs?: number;
  /** Where it takes longer than most, from the load before to the judgement. */
  expectedMs?: number;
  strike(scene: Scene): Promise<void>;
  /** Whatever is killed or paused then is started all the same. */
  heal(scene: Scene): Promise<void>;
}

/**
 * `links`: proxies between the replicas and their servers. `three-servers`: three each of Redis and Postgres, of which one
 * may be lost. `clocks`: replicas of which the clock can be set.
 */
export type Need = 'links' | 'three-servers' | 'clocks';

/** A strike found nothing to strike, at a moment that cannot be chosen: it is tried again, and shows nothing otherwise. */
export class MissedError extends UserError {}

/** What a drill strikes. */
export interface Scene {
  cluster: Cluster;
  /** Where the buyers ask, if not at the nginx of the cluster. */
  url?: string | undefined;
  /** The replica that is struck: drawn, or the one that holds most bookings between read and write. */
  replica: string;
  /** All of them, by the names of their parts. */
  replicas: readonly string[];
  /** The events that the buyers want. */
  eventIds: readonly number[];
  /** From 0 to 1, the same for each run of one seed. */
  random(): number;
  signal: AbortSignal;
}

/**
 * Of the throughput from before, once it is over: it is there again. Far less than is seen where nothing else runs, for
 * whatever else a machine has to do begins and ends in the middle of a drill too. For the same reason nothing need be left
 * while it lasts where a lease must end first: that takes as long as the fault.
 */
export const LEFT_AFTER = 0.3;

/** A fault that only guards without any promise may not survive. */
export const BREAKS_NO_LOCK: readonly Guarantee[] = ['none'];

/** A fault that takes a lease from its holder, who does not know. */
export const BREAKS_LEASES: readonly Guarantee[] = ['none', 'while-lease-held'];
