import type { FaultyWire, Latency } from '../servers/faulty-wire.ts';

/** Between which parts a run puts a proxy: before nginx hands a request on, or before a replica asks that kind of server. */
export type LinkKind = 'nginx' | 'redis' | 'postgres';

/** What can be done to the connections from one part to another. All of it can cross from one process to another. */
export interface Link {
  /** Adds latency, each way. */
  delay(latency: Latency): Promise<void>;
  /** Resets all connections, and there are no new ones. */
  refuse(): Promise<void>;
  /** The next requests that contain one of the texts are carried out, and their replies lost with the connection. */
  loseReplies(loss: { count: number; containing: readonly string[] }): Promise<void>;
  /** How many of these were lost so far. */
  lostReplies(): Promise<number>;
  /** Ends all of it. */
  heal(): Promise<void>;
}

export const LINK_ACTIONS = [
  'delay',
  'refuse',
  'loseReplies',
  'lostReplies',
  'heal',
] as const satisfies (keyof Link)[];

/** The connections between the parts of a cluster that can be struck, each apart from the others. */
export interface Links {
  /** As `booking-1>redis`. */
  names(): Promise<string[]>;
  between(from: string, to: string): Promise<Link | undefined>;
}

/** What strikes a wire, as a link. */
export function linkThrough(
  wire: Pick<FaultyWire, 'delay' | 'dropReplies'>,
  { refuse, heal }: Pick<Link, 'refuse' | 'heal'>,
): Link {
  let dropped: readonly Buffer[] = [];
  return {
    async delay(latency) {
      wire.delay(latency);
    },
    refuse,
    async loseReplies({ count, containing }) {
      const matching = (sent: Buffer): boolean => containing.some((text) => sent.includes(text));
      ({ dropped } = wire.dropReplies(count, { matching }));
    },
    lostReplies: async () => dropped.length,
    heal,
  };
}
