import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import { UserError } from '@lastseat/infra/stack';

import type { Attempt } from './attempt.ts';
import { afterwardsFailed, changedAfterwards } from './checks/afterwards.ts';
import { collectEvidence } from './checks/evidence.ts';
import { judge, judgement, type Judgement } from './checks/judge.ts';
import { sendWave, type Wave } from './crowd.ts';
import {
  answeredOperation,
  closingOperations,
  createOperation,
  historyOf,
  type Sale,
} from './history/operations.ts';
import { countSettled, type SettledCounts } from './history/settled.ts';
import type { HistoryWriter } from './history/write-history.ts';
import { lookUpUnknown } from './look-up.ts';
import { rollCall, watchConnections } from './replicas.ts';
import type { Scenario } from './scenario.ts';
import { readSettled } from './settle.ts';
import { isUnknown, names, type Tally } from './tally.ts';
import { createEvent, resetEvent, type Target } from './target.ts';
import type { Oracle, Truth } from './truth.ts';

/** One run and what came of it. */
export interface Run {
  scenario: Scenario;
  eventId: number;
  path: string;
  startedAt: Date;
  durationMs: number;
  /** On the clock of `performance.now()`. */
  endedAtMs: number;
  tally: Tally;
  /** What Postgres held when the run was judged. */
  truth: Truth;
  settled: SettledCounts;
  judgement: Judgement;
}

export interface RunOptions {
  target: Target;
  oracle: Oracle;
  /** Use and reset this event; null for a new one. */
  eventId: number | null;
  timeoutMs: number;
  maxUnknown: number;
  /** Where every operation is written to as it ends. */
  history?: HistoryWriter | undefined;
  /** For whoever watches: the event is there, a request is asked, one is answered, the last one was. */
  onPrepared?: (eventId: number) => void;
  onAsk?: () => void;
  onAnswer?: (attempt: Attempt) => void;
  onCounting?: () => void;
  /** Each answer is to tell when its booking waited, read and wrote. */
  asksForMarks?: boolean;
  /** Somebody has paused or killed it meanwhile: that it has answered nobody is no fault. */
  wasDisturbed?: (instanceId: string) => boolean;
}

/** Prepares an event, sends the crowd to it, reads from Postgres what is left, and judges. */
export async function run(scenario: Scenario, options: RunOptions): Promise<Run> {
  const { guard, crowd } = scenario;
  const { target, oracle } = options;
  const runId = randomBytes(4).toString('hex');
  await using witness = watchConnections(target, oracle);
  const upBefore = await rollCall(target);
  const created = { startMs: performance.now(), endMs: 0 };
  const eventId = await prepareEvent(scenario, options);
  created.endMs = performance.now();
  const before = await oracle.read(eventId);
  if (!before)
    throw new UserError(`Postgres knows no event ${eventId}: is it the database behind ${target.url}?`);

  options.onPrepared?.(eventId);
  const startedAt = new Date();
  const startedAtMs = performance.now();
  const sale: Sale = { event: eventId, strategy: guard.strategy, quantity: crowd.quantity };
  options.history?.append(createOperation(sale, crowd.tickets, created));
  const waves = await sendCrowd(scenario, runId, sale, options);
  const endedAtMs = performance.now();
  options.onCounting?.();

  const attempts = waves.flatMap((wave) => wave.attempts);
  const counted = { startMs: performance.now(), endMs: 0 };
  const truth = await readSettled(oracle, eventId, attempts, options.maxUnknown);
  counted.endMs = performance.now();
  if (!truth) throw new UserError(`event ${eventId} vanished from Postgres during the run`);

  const answered = names(attempts);
  const lookUps = await lookUpUnknown(target, attempts);
  const isSettled = attempts.filter(isUnknown).length <= options.maxUnknown;
  const sold = { sale, tickets: crowd.tickets, attempts, truth, lookUps, isSettled, created, counted };
  for (const operation of closingOperations(sold)) options.history?.append(operation);
  const evidence = collectEvidence({
    crowd,
    terms: {
      sells: guard.sells,
      strategy: guard.strategy,
      replicas: target.replicas ?? upBefore.size,
      maxUnknown: options.maxUnknown,
    },
    event: { id: eventId, epoch: before.epoch },
    runId,
    replicas: {
      up: (await stillUp(upBefore, answered, target)).filter((name) => !options.wasDisturbed?.(name)),
      inPostgres: await witness.found(answered),
    },
    lookUps,
    waves,
    truth,
    history: historyOf(sold),
  });
  return {
    scenario,
    eventId,
    path: guard.path(eventId),
    startedAt,
    durationMs: Math.round(endedAtMs - startedAtMs),
    endedAtMs,
    tally: evidence.tally,
    truth,
    settled: countSettled(evidence.history),
    judgement: judge(evidence),
  };
}

/** One that was there before and answered nobody may have gone meanwhile. */
async function stillUp(before: Set<string>, answered: readonly string[], target: Target): Promise<string[]> {
  const isComplete = [...before].every((name) => answered.includes(name));
  return isComplete ? [...before] : [...before.intersection(await rollCall(target))];
}

// An API that books after it has answered shows itself within this; nobody waits for it after each run, but once, when
// all of them are over.
const SECOND_LOOK_MS = 1_000;

/** The run as it stands when its event is looked at once more. */
export async function lookAgain(done: Run, oracle: Oracle): Promise<Run> {
  await sleep(Math.max(0, done.endedAtMs + SECOND_LOOK_MS - performance.now()));
  const detail = changedAfterwards(done.truth, await oracle.read(done.eventId));
  if (detail === null) return done;
  const wrong = [...done.judgement.wrong, { kind: 'changed_afterwards' as const, detail }];
  const checks = [...done.judgement.checks, afterwardsFailed(detail)];
  return { ...done, judgement: judgement({ ...done.judgement, wrong, checks }) };
}

async function prepareEvent({ guard, crowd }: Scenario, options: RunOptions): Promise<number> {
  if (options.eventId === null) {
    const time = new Date().toISOString().slice(0, 19).replace('T', ' ');
    return createEvent(options.target, `load ${time} ${guard.name}`, crowd.tickets);
  }
  await resetEvent(options.target, options.eventId, crowd.tickets);
  return options.eventId;
}

// A guard that is too slow for the crowd sends most of it away as busy; if it serves a tenth each time, everybody
// has had their turn. Whoever is still not served then gives up, and the checks say so.
const MAX_ATTEMPTS = 10;

/** The crowd in waves: first everybody, then those who were told to try again. */
async function sendCrowd(
  { guard, crowd }: Scenario,
  runId: string,
  sale: Sale,
  options: RunOptions,
): Promise<Wave[]> {
  const path = guard.path(sale.event);
  const waves: Wave[] = [];
  let buyers = Array.from({ length: crowd.buyers }, (_, index) => ({ buyer: index + 1, number: 1 }));
  for (;;) {
    const wave = await sendWave({
      runId,
      url: new URL(path, options.target.url).href,
      buyers,
      connections: crowd.connections,
      quantity: crowd.quantity,
      timeoutMs: options.timeoutMs,
      raceWindowMs: crowd.raceWindowMs,
      ...(options.asksForMarks && { asksForMarks: true }),
      onAsk: () => options.onAsk?.(),
      onAnswer: (attempt) => {
        options.onAnswer?.(attempt);
        if (!isUnknown(attempt)) options.history?.append(answeredOperation(sale, attempt));
      },
    });
    waves.push(wave);
    const again = wave.attempts.filter(mayTryAgain);
    if (again.length === 0 || wave.neverAsked > 0) return waves;
    buyers = again.map(({ buyer, number }) => ({ buyer, number: number + 1 }));
    if ((buyers[0]?.number ?? 0) > MAX_ATTEMPTS) return waves;
    await sleep(pauseMs(again));
  }
}

/** Only after an answer that nothing was booked: an unknown one, asked again, might book twice. */
function mayTryAgain({ answer }: Attempt): boolean {
  return answer?.code === 'busy' || answer?.code === 'unavailable';
}

// What a service may ask for: one that wants a longer pause has in fact gone away.
const MAX_PAUSE_MS = 5_000;
const DEFAULT_PAUSE_MS = 1_000;

/** The longest pause that any of them was asked for, and up to a quarter more: other crowds were sent away too. */
function pauseMs(sentAway: readonly Attempt[]): number {
  const asked = sentAway.map(({ answer }) => answer?.retryAfterMs ?? DEFAULT_PAUSE_MS);
  const longest = asked.reduce((longest, ms) => Math.max(longest, ms), 0);
  return Math.min(MAX_PAUSE_MS, longest) * (1 + Math.random() / 4);
}
