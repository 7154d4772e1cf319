import { MARKS_HEADER, RACE_WINDOW_HEADER } from '@lastseat/booking/contract';
import { UserError } from '@lastseat/infra/command-line';
import { Agent, request } from 'undici';

import { readAnswer } from '../answer.ts';
import { createEvent, type Target } from '../target.ts';
import type { Oracle } from '../truth.ts';
import { readMarks, type Race, type RaceBuyer } from './race.ts';

export interface RaceWishes {
  strategy: string;
  tickets: number;
  buyers: number;
  raceWindowMs: number;
}

// Longer than the service may think about a booking.
const TIMEOUT_MS = 15_000;

const NAMES = ['ada', 'bob', 'eve', 'kim', 'lea', 'max', 'mia', 'noa', 'pia', 'sam', 'tom', 'zoe'];

/** Sends all buyers at once to a new event, and keeps what the replicas say of each booking. */
export async function recordRace(target: Target, oracle: Oracle, wishes: RaceWishes): Promise<Race> {
  const { strategy, tickets, raceWindowMs } = wishes;
  const event = await createEvent(target, `race ${strategy}`, tickets);
  const url = new URL(`/book/${strategy}/${event}`, target.url);
  const agent = new Agent({ connections: wishes.buyers, pipelining: 1 });
  const startedAt = new Date().toISOString();
  const buyers = await Promise.all(
    Array.from({ length: wishes.buyers }, (_, index) =>
      ask(agent, url, { customer: nameOf(index), raceWindowMs }),
    ),
  ).finally(() => void agent.close());
  const truth = await oracle.read(event);
  if (!truth) throw new UserError(`event ${event} vanished from Postgres during the race`);
  return {
    format: 'lastseat-race/1',
    strategy,
    event,
    tickets,
    raceWindowMs,
    rows: truth.rows.length,
    available: truth.available,
    startedAt,
    command: `make race STRATEGY=${strategy} TICKETS=${tickets} BUYERS=${wishes.buyers} RACE_WINDOW_MS=${raceWindowMs}`,
    buyers: fromTheFirstMark(buyers),
  };
}

/** Of a buyer, counted from 0: short enough for a lane. */
export function nameOf(index: number): string {
  const name = NAMES[index % NAMES.length] ?? '';
  const round = Math.floor(index / NAMES.length);
  return round === 0 ? name : `${name} ${round + 1}`;
}

export interface Wish {
  customer: string;
  quantity?: number;
  raceWindowMs?: number;
}

/** One booking, with the marks that its replica has made of it. Who is not answered has none. */
export async function ask(agent: Agent, url: URL, wish: Wish): Promise<RaceBuyer> {
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
    const answer = readAnswer(statusCode, await body.text(), headers, performance.now());
    const timing = headers['server-timing'];
    return {
      customer,
      instance: answer.instanceId,
      outcome: answer.code,
      token: answer.booking?.fencingToken ?? null,
      marks: readMarks(typeof timing === 'string' ? timing : null),
    };
  } catch {
    return { customer, instance: null, outcome: null, token: null, marks: [] };
  }
}

/** On the clock of the machine; Infinity where there is none. */
export function firstMarkMs(buyers: readonly RaceBuyer[]): number {
  const times = buyers.flatMap(({ marks }) => marks.map(({ atMs }) => atMs));
  return times.reduce((first, atMs) => Math.min(first, atMs), Infinity);
}

/** On a clock that begins with the race. */
export function fromTheFirstMark(buyers: readonly RaceBuyer[]): RaceBuyer[] {
  const firstMs = firstMarkMs(buyers);
  return buyers.map((buyer) =>
    Object.assign({}, buyer, {
      marks: buyer.marks.map(({ name, atMs, value }) => ({
        name,
        atMs: Math.round((atMs - firstMs) * 1_000) / 1_000,
        value,
      })),
    }),
  );
}
