import type { Cluster } from '@lastseat/infra/cluster';
import { UserError } from '@lastseat/infra/command-line';
import { count } from '@lastseat/lab-frame/words.ts';

import type { PartPause } from '../race/lanes.ts';

/** What can be done to a part. */
export const ACTIONS = ['pause', 'resume', 'kill', 'start', 'flush'] as const;

export type Action = (typeof ACTIONS)[number];

/** What is done to the cluster from here, and since when. Disposing of it resumes what it has paused. */
export interface Strikes extends AsyncDisposable {
  act(part: string, action: Action): Promise<void>;
  scale(replicas: number): Promise<void>;
  /** Parts to which something is just being done. */
  busy(): string[];
  isScaling(): boolean;
  /** When a part did nothing. */
  pauses(): readonly PartPause[];
  /** Something was done to it since the sale began. */
  wasDisturbed(part: string): boolean;
  /** What is over does not concern the next sale. */
  beginSale(): void;
}

// Beside the names of the parts.
const SCALING = 'the number of replicas';

/**
 * @param say is told of everything that was done, and of what failed
 * @param onChange is called before and after each action
 */
export function strikesOn(
  cluster: Cluster,
  say: (text: string, isBad?: boolean) => void,
  onChange: () => Promise<void>,
): Strikes {
  const busy = new Set<string>();
  const underWay = new Set<Promise<void>>();
  const pausedHere = new Set<string>();
  let disturbed = new Set<string>();
  let pauses: PartPause[] = [];

  /** One thing at a time is done to a part, and whatever comes of it is said. */
  async function strike(name: string, done: string, action: () => Promise<unknown>): Promise<void> {
    if (busy.has(name)) throw new UserError(`${name}: something else is being done to it`);
    busy.add(name);
    disturbed.add(name);
    void onChange().catch(() => {});
    try {
      await action();
      say(done);
    } catch (failure) {
      say((failure as Error).message, true);
      throw failure;
    } finally {
      busy.delete(name);
      await onChange().catch(() => {});
    }
  }

  function stops(name: string, isKilled: boolean): void {
    pauses.push({ part: name, fromMs: performance.now(), toMs: null, isKilled });
  }

  function goesOn(name: string): void {
    pausedHere.delete(name);
    for (const pause of pauses) if (pause.part === name) pause.toMs ??= performance.now();
  }

  async function pause(name: string): Promise<void> {
    const pausing = cluster.pause(name);
    const settled = pausing.catch(() => {}).finally(() => underWay.delete(settled));
    underWay.add(settled);
    pausedHere.add(name);
    await pausing;
    stops(name, false);
  }

  const actions: Record<Action, (name: string) => Promise<void>> = {
    pause: (name) => strike(name, `${name} is paused`, () => pause(name)),
    resume: (name) =>
      strike(name, `${name} goes on`, async () => {
        await cluster.resume(name);
        goesOn(name);
      }),
    kill: (name) =>
      strike(name, `${name} is killed`, async () => {
        await cluster.kill(name);
        goesOn(name);
        stops(name, true);
      }),
    start: (name) =>
      strike(name, `${name} is started`, async () => {
        await cluster.start(name);
        goesOn(name);
      }),
    flush: (name) =>
      strike(name, `${name} has lost everything it had`, () => cluster.redis(name, 'FLUSHALL')),
  };

  return {
    act: (part, action) => actions[action](part),
    scale: (replicas) => strike(SCALING, count(replicas, 'replica'), () => cluster.scale(replicas)),
    busy: () => [...busy],
    isScaling: () => busy.has(SCALING),
    pauses: () => pauses,
    wasDisturbed: (part) => disturbed.has(part),
    beginSale() {
      pauses = pauses.filter(({ toMs }) => toMs === null);
      disturbed = new Set(busy);
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(underWay);
      // It may have been started, or taken away, by somebody else since.
      await Promise.all([...pausedHere].map((name) => cluster.resume(name).catch(() => {})));
    },
  };
}
