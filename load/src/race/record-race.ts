import { setTimeout as sleep } from 'node:timers/promises';

import { MARKS_HEADER, RACE_WINDOW_HEADER } from '@lastseat/booking/contract';
import type { Cluster, ClusterPart } from '@lastseat/infra/cluster';
import { UserError } from '@lastseat/infra/command-line';
import { Agent, request } from 'undici';

import { readAnswer } from '../answer.ts';
import { replicaParts } from '../faults/replicas.ts';
import { createEvent, type Target } from '../target.ts';
import type { Oracle } from '../truth.ts';
import { lanesOf, nameOf, onRaceClock, type Asked, type PartPause } from './lanes.ts';
import { liveMarks, type LiveMarks } from './live-marks.ts';
import type { Race } from './race.ts';

export interface RaceWishes {
  strategy: string;
  tickets: number;
  buyers: number;
  raceWindowMs: number;
}

/** Where a race is recorded: the replicas are asked through nginx, and their logs are heard beside it. */
export interface RaceCourse {
  target: Target;
  oracle: Oracle;
  cluster: Pick<Cluster, 'parts' | 'follow'>;
}

// Longer than the service may think about a booking.
const TIMEOUT_MS = 15_000;

/** Sends all buyers at once to a new event, and keeps what the replicas say of each booking. */
export async function recordRace(course: RaceCourse, wishes: RaceWishes): Promise<Race> {
  const { target, cluster } = course;
  const { strategy, tickets, raceWindowMs } = wishes;
  using marks = liveMarks(cluster);
  await marks.listenTo((await replicaParts(cluster)).map(({ name }) => name));
  const event = await createEvent(target, `race ${strategy}`, tickets);
  const url = new URL(`/book/${strategy}/${event}`, target.url);
  const agent = new Agent({ connections: wishes.buyers, pipelining: 1 });
  const startedAt = new Date();
  const asked = await Promise.all(
    Array.from({ length: wishes.buyers }, (_, index) =>
      ask(agent, url, { customer: nameOf(index), raceWindowMs }),
    ),
  ).finally(() => void agent.close());
  const command = `make race STRATEGY=${strategy} TICKETS=${tickets} BUYERS=${wishes.buyers} RACE_WINDOW_MS=${raceWindowMs}`;
  return await raceOf(course, marks, { strategy, event, tickets, raceWindowMs, startedAt, command, asked });
}

export interface Recorded extends Pick<
  Race,
  'strategy' | 'fault' | 'event' | 'tickets' | 'raceWindowMs' | 'command'
> {
  startedAt: Date;
  asked: readonly Asked[];
  /** What was done to the replicas; where nobody knows, what has become of them says it. */
  pauses?: readonly PartPause[];
}

/** What was asked and told, beside what the replicas have written into their logs and Postgres holds. */
export async function raceOf(
  { oracle, cluster }: Pick<RaceCourse, 'oracle' | 'cluster'>,
  marks: LiveMarks,
  { asked, pauses, startedAt, ...about }: Recorded,
): Promise<Race> {
  const isLost = asked.some(({ answer }) => answer?.serverTiming == null);
  if (isLost) await sleep(MARKS_WITHIN_MS);
  const replicas = await replicaParts(cluster);
  const truth = await oracle.read(about.event);
  if (!truth) throw new UserError(`event ${about.event} vanished from Postgres during the race`);
  const lanes = onRaceClock(
    lanesOf(asked, marks, replicas),
    pauses ?? stoppedMeanwhile(replicas, asked, marks),
  );
  return {
    format: 'lastseat-race/1',
    ...about,
    rows: truth.rows.length,
    available: truth.available,
    startedAt: startedAt.toISOString(),
    buyers: lanes.buyers,
    ...(lanes.pauses.length > 0 && { pauses: lanes.pauses }),
  };
}

// What a replica has written, before it was killed, is heard that much later at most.
const MARKS_WITHIN_MS = 700;

/** A replica that is down now, which nobody here has struck: since nginx gave up the first request that it had. */
function stoppedMeanwhile(
  replicas: readonly ClusterPart[],
  asked: readonly Asked[],
  marks: Pick<LiveMarks, 'of'>,
): PartPause[] {
  return replicas
    .filter(({ state }) => state !== 'running')
    .flatMap(({ name, state }) => {
      const lost = asked.flatMap(({ answer }) =>
        answer && answer.serverTiming === null && marks.of(answer.requestId ?? '')?.part === name
          ? answer.receivedAtMs
          : [],
      );
      const isKilled = state === 'stopped';
      return lost.length === 0 ? [] : [{ part: name, fromMs: Math.min(...lost), toMs: null, isKilled }];
    });
}

export interface Wish {
  customer: string;
  quantity?: number;
  raceWindowMs?: number;
}

/** One booking, with the marks that its replica has made of it. */
export async function ask(agent: Agent, url: URL, wish: Wish): Promise<Asked> {
  const { customer, quantity = 1, raceWindowMs = 0 } = wish;
  try {
    const { statusCode, headers, body } = await request(url, {
      dispatcher: agent,
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        [MARKS_HEADER]: '1',
        [RACE_WINDOW_HEADER]: String(raceWindowMs),
      },
      body: JSON.stringify({ customer, quantity }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    return { customer, answer: readAnswer(statusCode, await body.text(), headers, performance.now()) };
  } catch {
    return { customer, answer: null };
  }
}
