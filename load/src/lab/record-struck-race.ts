import type { Cluster } from '@lastseat/infra/cluster';

import type { Drill } from '../drills/drill.ts';
import { strikeAndHeal } from '../drills/play-drill.ts';
import { openBuyers } from '../faults/buyers.ts';
import { replicaParts } from '../faults/replicas.ts';
import { nameOf } from '../race/lanes.ts';
import { liveMarks } from '../race/live-marks.ts';
import type { Race } from '../race/race.ts';
import { raceOf, type RaceCourse } from '../race/record-race.ts';

export interface StruckRace {
  strategy: string;
  drill: Drill;
  /** The first so many. */
  replicas: number;
  signal: AbortSignal;
}

/** A booking that is struck between its read and its write, and somebody who wants the same ticket meanwhile. */
export async function recordStruckRace(
  course: RaceCourse & { cluster: Cluster },
  { strategy, drill, replicas, signal }: StruckRace,
): Promise<Race> {
  const { target, cluster } = course;
  using marks = liveMarks(cluster);
  const all = (await replicaParts(cluster)).map(({ name }) => name);
  await marks.listenTo(all);
  await using buyers = await openBuyers({ target }, strategy, [1]);
  const { eventIds, exchanges } = buyers;
  const startedAt = new Date();
  const scenery = {
    url: target.url,
    eventIds,
    buyers: [buyers],
    replicas: all.slice(0, replicas),
    random: Math.random,
  };
  using strike = await strikeAndHeal({ cluster, signal, size: all.length }, drill, scenery);
  await buyers.allAnswered();
  const { struckAtMs, healedAtMs, down } = strike;
  return await raceOf(course, marks, {
    strategy,
    fault: drill.name,
    event: eventIds[0] ?? 0,
    tickets: 1,
    raceWindowMs: 0,
    startedAt,
    command: `make lab FAULT=${drill.name} STRATEGY=${strategy} REPLICAS=${replicas} REPEATS=1`,
    asked: exchanges.map(({ buyer, answer }) => ({ customer: nameOf(buyer - 1), answer })),
    pauses: down
      .filter(({ kind }) => kind === 'replica')
      .map(({ name, state }) => ({
        part: name,
        fromMs: struckAtMs,
        toMs: healedAtMs,
        isKilled: state === 'stopped',
      })),
  });
}
