import type { Releases } from './images.ts';
import type { Command } from './node-commands.ts';
import type { Swarm } from './swarm.ts';
import type { TestStack } from './test-stack.ts';
import type { FromWithin } from './within.ts';

/** Something that is done to a swarm while it sells. */
export interface Scenario {
  name: string;
  what: string;
  /** The commands that it uses. */
  needs: readonly Command[];
  /** It strikes one of three servers, which there are with HA=on. */
  ofThree?: boolean;
  /** It is planned work: no request may fail. */
  failsNothing: boolean;
  /** Before it and after it. */
  replicas: number;
  /** Before anybody buys. */
  prepare?(stack: TestStack): Promise<void>;
  strike(scene: Scene): Promise<Outcome>;
  /** Also where the strike failed half-way. */
  heal(scene: Scene): Promise<void>;
}

export interface Scene {
  swarm: Swarm;
  stack: TestStack;
  releases: Releases;
  /** From 0: another node each time. */
  run: number;
  /** With an event for whoever is cut off, one for each guard. */
  within: readonly { strategy: string; eventId: number }[];
  note: (line: string) => void;
  signal: AbortSignal;
}

/** What is known of a strike beside what was sold. */
export interface Outcome {
  node?: string;
  /** From the strike until all replicas were healthy on the nodes that were left, or the release was what it was to be. */
  wholeAfterMs: number;
  /** What those were told who asked a replica that was cut off, on its own node. */
  within?: FromWithin | null;
}

export function startClock(): () => number {
  const startMs = performance.now();
  return () => Math.round(performance.now() - startMs);
}
