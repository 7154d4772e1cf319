import { randomBytes } from 'node:crypto';

import { randomNumbers } from '@lastseat/lab-frame/random.ts';

import { buyer, STEADY } from '../drills/steady-load.ts';
import type { Client, Sent } from '../generators/exchange.ts';
import { steadyLoop, type SteadyLoop } from '../generators/steady-loop.ts';
import type { Span } from '../history/operations.ts';
import { createEvent, type Target } from '../target.ts';
import { holds } from '../workloads/holds.ts';
import { repeat } from '../workloads/repeat.ts';
import { requestsTo } from '../workloads/requests.ts';
import type { Workload } from '../workloads/workload.ts';
import { patiently } from './patiently.ts';
import { repeatingBuyer } from './repeating-buyer.ts';
import { inWaves } from './waves.ts';

/**
 * Buyers of one guard who come all the time, on an event that is replaced by a new one for each fault: the history of an
 * event then has one fault in it, and whether one order explains it can be decided.
 */
export interface MixedLoad extends SteadyLoop {
  /** The guard, or `holds`. */
  name: string;
  strategy: string;
  runId: string;
  /** One for each wave, the present one last. */
  eventIds: number[];
  tickets: number[];
  created: Span;
  exempt: Workload['exempt'];
  /** From now on everybody wants a new event. */
  nextWave(): Promise<void>;
}

/** Of each guard: enough to contend, and few enough that nine guards do not keep two cores busy. */
const CLIENTS = 3;
const PACE_MS = 80;
// Longer than any answer of the stack can take: nginx gives up after ten seconds.
const TIMEOUT_MS = 12_000;
// Nearly enough for all: it is sold out now and then.
const TICKETS = 3 * CLIENTS;
const MOST_CLIENTS = 1_009;

/** Holds are made by the guard of the service's own route; bookings on the same events by the default one. */
const HOLDS = { name: 'holds', strategy: 'batched-update' };

const NOTHING_SENT: Sent = {
  exchanges: [],
  window: { fromMs: 0, untilMs: 0 },
  strayAnswers: 0,
  counted: null,
  offeredPerS: null,
  achievedPerS: null,
};

interface Kind {
  name: string;
  strategy: string;
  begin(random: () => number, client: number, wave: number): Client;
  exempt: Workload['exempt'];
}

/** Two of three book, give back and look; the third one has idempotency keys. */
function ofGuard(strategy: string): Kind {
  return {
    name: strategy,
    strategy,
    begin: (random, client, wave) =>
      client < CLIENTS ? buyer(random) : repeatingBuyer(random, `wave-${wave}`),
    exempt: judgedOf([...STEADY.exempt, ...repeat.exempt]),
  };
}

const ofHolds: Kind = {
  ...HOLDS,
  begin: (random) => holds.client(random, 1, 0),
  exempt: judgedOf([...STEADY.exempt, ...holds.exempt]),
};

/** What is left is sold at the end of a round: then nothing may be left, and somebody is told so. */
function judgedOf(exempt: Workload['exempt']): Workload['exempt'] {
  return exempt.filter((kind) => kind !== 'undersold');
}

export function startLoads(target: Target, strategies: readonly string[], seed: number): MixedLoad[] {
  const kinds = [...strategies.map(ofGuard), ofHolds];
  return kinds.map((kind, index) => startLoad(target, kind, seed * kinds.length + index));
}

function startLoad(target: Target, { name, strategy, begin, exempt }: Kind, seed: number): MixedLoad {
  const runId = randomBytes(4).toString('hex');
  const eventIds: number[] = [];
  const tickets: number[] = [];
  const created: Span = { startMs: performance.now(), endMs: null };

  const wave = (): number => eventIds.length - 1;
  let loop: SteadyLoop | null = null;

  async function nextWave(): Promise<void> {
    const eventId = await patiently(() => createEvent(target, `soak ${name}`, TICKETS));
    created.endMs ??= performance.now();
    eventIds.push(eventId);
    tickets.push(TICKETS);
    loop ??= steadyLoop({
      url: target.url,
      connections: CLIENTS,
      timeoutMs: TIMEOUT_MS,
      runId,
      paceMs: PACE_MS,
      client(number) {
        const random = randomNumbers(seed * MOST_CLIENTS + number);
        return inWaves(wave, () => begin(random, number, wave()));
      },
      request: requestsTo(strategy, eventIds),
      headers: { 'content-type': 'application/json' },
    });
  }

  return {
    name,
    strategy,
    runId,
    eventIds,
    tickets,
    created,
    exempt,
    nextWave,
    get exchanges() {
      return loop?.exchanges ?? [];
    },
    underWay: () => loop?.underWay() ?? [],
    async end() {
      return loop === null ? NOTHING_SENT : loop.end();
    },
  };
}
