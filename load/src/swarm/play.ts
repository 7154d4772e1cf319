import { setTimeout as sleep } from 'node:timers/promises';

import type { StrategyName } from '@lastseat/booking/contract';
import { UserError } from '@lastseat/infra/stack';
import { sum } from '@lastseat/lab-frame/statistics.ts';

import { judgeEvents, nothingFailed, sellsAgain } from '../drills/judge-events.ts';
import type { SteadyLoad } from '../drills/steady-load.ts';
import { throughputOf, type Phases, type Throughput } from '../drills/throughput.ts';
import type { Sent } from '../generators/exchange.ts';
import type { Operation } from '../history/operation.ts';
import type { CheckVerdict } from '../runs/run.ts';
import { isUnknown } from '../tally.ts';
import { createEvents, type Target } from '../target.ts';
import { openOracle } from '../truth.ts';
import type { Balancer } from './balancer.ts';
import type { Outcome, Scenario, Scene } from './scenario.ts';
import { SELLING, startSelling } from './selling.ts';
import { judgeFromWithin } from './within.ts';

/** One scenario, and what became of each guard. */
export interface Played extends Outcome {
  scenario: string;
  guards: Guarded[];
  /** Why it did not end as it was to; null if it did. */
  failure: string | null;
}

export interface Guarded {
  strategy: string;
  throughput: Throughput;
  requests: {
    started: number;
    booked: number;
    /** Told `busy` or `unavailable`: nothing was written. */
    refused: number;
    /** Never told whether it was done, and of these, how many have booked. */
    unknown: number;
    settledAsBooked: number;
  };
  /** From the strike until the last request that failed had begun; 0 if none did. */
  failedForMs: number;
  checks: CheckVerdict[];
  operations: Operation[];
}

export interface Field extends Omit<Scene, 'within' | 'run'> {
  target: Target;
  balancer: Balancer;
  strategies: readonly StrategyName[];
}

/** Together; a swarm may be three engines on two cores. */
const CLIENTS = 12;
/** Until everything is connected and the load is as it will be. */
const WARM_UP_MS = 2_000;
const BEFORE_MS = 5_000;
const AFTER_MS = 5_000;
const BALANCED_WITHIN_MS = 60_000;
const SERVING_WITHIN_MS = 60_000;
const POLL_MS = 200;

export async function play(field: Field, scenario: Scenario, run: number): Promise<Played> {
  const { swarm, stack, strategies, target, note, signal } = field;
  // One that is down and a second one are more than any swarm of three is to bear.
  const down = swarm.nodes.filter((node) => !swarm.standing().includes(node));
  if (down.length > 0) throw new UserError(`${down.map(({ name }) => name).join(', ')} could not be mended`);
  await stack.deploy({ replicas: scenario.replicas, image: field.releases.first });
  await stack.untilWhole(scenario.replicas, signal);
  await stack.spreadOut(scenario.replicas, signal);
  await stack.untilRedundant(signal);
  if (scenario.prepare) {
    await scenario.prepare(stack);
    await stack.untilRedundant(signal);
  }
  await untilBalanced(field);

  const clients = Math.max(1, Math.floor(CLIENTS / strategies.length));
  const ids = await createOnceServing(
    target,
    strategies.map(() => PLENTY),
    signal,
  );
  const within = strategies.map((strategy, index) => ({ strategy, eventId: ids[index] ?? 0 }));
  const loads: SteadyLoad[] = [];
  const sent: Sent[] = [];
  let outcome: Outcome = { wholeAfterMs: 0 };
  let failure: string | null = null;
  const phases: Phases = { steadyAtMs: 0, strikeAtMs: 0, healedAtMs: 0, endedAtMs: 0 };
  try {
    for (const strategy of strategies) loads.push(await startSelling(target, strategy, clients));
    await rest(WARM_UP_MS, signal);
    phases.steadyAtMs = performance.now();
    await rest(BEFORE_MS, signal);
    phases.strikeAtMs = performance.now();
    const scene: Scene = { ...field, run, within };
    try {
      outcome = await scenario.strike(scene);
    } catch (error) {
      failure = reasonOf(error);
    }
    // Also where somebody has interrupted it: every node stands afterwards.
    await scenario.heal({ ...scene, signal: signal.aborted ? NEVER : signal }).catch((error: unknown) => {
      failure ??= reasonOf(error);
    });
    phases.healedAtMs = performance.now();
    await stack.untilRedundant(signal).catch((error: unknown) => (failure ??= reasonOf(error)));
    await untilBalanced(field).catch((error: unknown) => (failure ??= reasonOf(error)));
    await rest(AFTER_MS, signal);
    phases.endedAtMs = performance.now();
  } finally {
    for (const load of loads) sent.push(await load.end());
  }
  note('counting what was sold ...');
  const guards = await Promise.all(
    loads.map((load, index) => judgeGuard(field, scenario, load, sent[index] as Sent, phases)),
  );
  if (outcome.within) {
    await using oracle = await openOracle(target.postgresUrl);
    guards[0]?.checks.push(await judgeFromWithin(outcome.within, within, oracle));
  }
  return { scenario: scenario.name, ...outcome, guards, failure };
}

const PLENTY = 100_000;
const NEVER = new AbortController().signal;

async function judgeGuard(
  { target, signal }: Field,
  scenario: Scenario,
  load: SteadyLoad,
  sent: Sent,
  phases: Phases,
): Promise<Guarded> {
  const { exchanges } = sent;
  // Those that somebody wanted.
  const wanted = 1 + exchanges.reduce((last, { ask }) => Math.max(last, ask.event), 0);
  const [eventIds, tickets] = [load.eventIds.slice(0, wanted), load.tickets.slice(0, wanted)];
  const judged = await judgeEvents(
    scenario,
    { target, size: scenario.replicas },
    { ...load, eventIds, tickets, sent, exempt: SELLING.exempt },
  );
  const failed = exchanges.filter(
    (exchange) => isUnknown(exchange) || exchange.answer?.code === 'unavailable',
  );
  const codes = exchanges.map(({ answer }) => answer?.code);
  const unknown = judged.operations.filter(({ outcome }) => outcome === 'unknown');
  const begunMs = failed.map(({ startedAtMs }) => startedAtMs - phases.strikeAtMs);
  const throughput = throughputOf(exchanges, phases);
  return {
    strategy: load.strategy,
    throughput,
    requests: {
      started: exchanges.length,
      booked: codes.filter((code) => code === 'booked').length,
      refused: codes.filter((code) => code === 'busy' || code === 'unavailable').length,
      unknown: exchanges.filter(isUnknown).length,
      settledAsBooked: sum(unknown.map(({ settled }) => Number(settled === 'done'))),
    },
    failedForMs: Math.round(begunMs.reduce((last, ms) => Math.max(last, ms), 0)),
    checks: [
      ...judged.checks,
      ...nothingFailed(scenario, exchanges),
      ...(signal.aborted ? [] : [sellsAgain(throughput, phases)]),
    ],
    operations: judged.operations,
  };
}

/** What a failover has changed is known to the replicas a moment later; before it, nobody is to buy. */
async function createOnceServing(target: Target, tickets: number[], signal: AbortSignal): Promise<number[]> {
  const deadlineMs = performance.now() + SERVING_WITHIN_MS;
  for (;;) {
    try {
      return await createEvents(target, 'swarm, cut off', tickets);
    } catch (error) {
      if (signal.aborted || performance.now() > deadlineMs) throw error;
    }
    await sleep(POLL_MS);
  }
}

/** Until requests go to every node that stands. */
async function untilBalanced({ swarm, balancer }: Field): Promise<void> {
  const deadlineMs = performance.now() + BALANCED_WITHIN_MS;
  const missing = () => swarm.standing().filter(({ name }) => !balancer.up().includes(name));
  while (missing().length > 0) {
    if (performance.now() > deadlineMs) {
      const names = missing().map(({ name }) => name);
      throw new UserError(`the nginx of ${names.join(', ')} does not answer`);
    }
    await sleep(POLL_MS);
  }
}

function reasonOf(error: unknown): string {
  return error instanceof UserError ? error.message : ((error as Error).stack ?? String(error));
}

/** Ctrl-C ends it early. */
async function rest(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {});
}
