import { dirname, join } from 'node:path';

import type { Cluster, ClusterPart } from '@lastseat/infra/cluster';
import { UserError } from '@lastseat/infra/command-line';
import type { Stack } from '@lastseat/infra/stack';
import { count } from '@lastseat/lab-frame/words.ts';

import { writeHistory } from '../history/write-history.ts';
import type { Race } from '../race/race.ts';
import { jsonReport } from '../report/json.ts';
import { verdictOf, type Verdict } from '../report/verdict.ts';
import { lookAgain, run, type Run } from '../run.ts';
import { runsFolder } from '../runs/store.ts';
import { scenarios, type GuardName, type Scenario } from '../scenario.ts';
import { isUnknown } from '../tally.ts';
import { resetEvent, type Target } from '../target.ts';
import { liveMarks } from './live-marks.ts';
import {
  figuresOf,
  isNamed,
  raceOf,
  type FiguresByReplica,
  type LiveSale,
  type PartPause,
  type SeenInPostgres,
} from './live-sale.ts';
import { patientOracle } from './patient-oracle.ts';

export interface SaleWishes {
  guard: GuardName;
  tickets: number;
  buyers: number;
  raceWindowMs: number;
}

/** What can be done to a part. */
export const ACTIONS = ['pause', 'resume', 'kill', 'start', 'flush'] as const;

export type Action = (typeof ACTIONS)[number];

/** Everything that the page shows but the lanes. */
export interface ConsoleView {
  url: string;
  runtime: Stack['runtime'];
  parts: readonly ClusterPart[];
  /** Parts to which something is just being done. */
  busy: string[];
  isScaling: boolean;
  sale: SaleView | null;
  figures: FiguresByReplica;
  /** What was done, the latest first. */
  said: { at: string; text: string; isBad: boolean }[];
}

export interface SaleView {
  phase: 'preparing' | 'selling' | 'counting' | 'done' | 'failed';
  event: number | null;
  strategy: string;
  tickets: number;
  buyers: number;
  asked: number;
  answered: number;
  /** Null until Postgres was asked for the first time, or while it does not answer. */
  postgres: SeenInPostgres | null;
  verdict: Verdict | null;
  /** Requests whose end nobody was told; of those, what has a row in Postgres, as far as that was counted. */
  unknown: { count: number; booked: number | null };
  checks: { check: string; verdict: string; details: readonly string[]; isExpected: boolean }[];
  /** Why there is no verdict. */
  error: string | null;
}

export interface Lanes {
  race: Race;
  /** Null once it is over. */
  untilMs: number | null;
}

/** What the page shows and does: one sale at a time, and a cluster to strike. It asks the cluster only while it is watched. */
export interface Control extends AsyncDisposable {
  view(): ConsoleView;
  lanes(): Lanes | null;
  report(): object | null;
  /** @throws UserError while one is under way */
  sell(wishes: SaleWishes): void;
  act(part: string, action: Action): Promise<void>;
  scale(replicas: number): Promise<void>;
  /** All tickets of the event are free again; what was shown of it goes, unless it is just being sold. */
  reset(): Promise<void>;
  /** Calls back whenever something may have changed. */
  watch(onChange: () => void): Disposable;
}

// Quicker than one reads, and rare enough that the questions themselves are no load.
const POLL_MS = 250;
const PARTS_POLL_MS = 1_000;
// Postgres does not answer: the page says so rather than wait for it.
const GLANCE_MS = 1_000;
// Above the ten seconds after which nginx gives a request up, and says that nobody knows.
const TIMEOUT_MS = 12_000;
// Beside the names of the parts.
const SCALING = 'the number of replicas';
// What fits beside everything else.
const MOST_SAID = 8;

export async function openControl(
  cluster: Cluster,
  stack: Stack,
  env: NodeJS.ProcessEnv = process.env,
): Promise<Control> {
  const marks = liveMarks(cluster);
  const watchers = new Set<() => void>();
  const said: ConsoleView['said'] = [];
  const busy = new Set<string>();
  const pausedHere = new Set<string>();
  // Since the beginning of the sale.
  let disturbed = new Set<string>();
  let pauses: PartPause[] = [];
  let parts: ClusterPart[] = [];
  let sale: LiveSale | null = null;
  let phase: SaleView['phase'] = 'done';
  let seen: SeenInPostgres | null = null;
  let result: Run | null = null;
  let error: string | null = null;
  let selling: Promise<void> | null = null;

  const changed = (): void => {
    for (const watcher of watchers) watcher();
  };
  const isOver = (): boolean => phase === 'done' || phase === 'failed';
  const replicas = (): ClusterPart[] => parts.filter(({ kind }) => kind === 'replica');
  const targetNow = (): Target => ({
    ...stack,
    // One that is paused or gone cannot take part, and is not missed.
    replicas: replicas().filter(({ state }) => state === 'running').length,
    hasQuorum: stack.quorumUrls.length > 0,
  });

  function say(text: string, isBad = false): void {
    said.unshift({ at: new Date().toISOString(), text, isBad });
    said.length = Math.min(said.length, MOST_SAID);
    changed();
  }

  async function lookAtParts(): Promise<void> {
    parts = await cluster.parts();
    marks.listenTo(replicas().map(({ name }) => name));
    changed();
  }

  async function lookAtPostgres(): Promise<void> {
    if (sale?.eventId == null || isOver()) return;
    const [row] = await cluster
      .statement<{ available: string; rows: string }>(
        `select i.available, (select count(*) from bookings b
            where b.event_id = i.event_id and b.epoch = i.epoch and b.state = 'confirmed') as rows
           from inventory i where i.event_id = $1`,
        [sale.eventId],
        GLANCE_MS,
      )
      .catch(() => []);
    seen = row ? { available: Number(row.available), rows: Number(row.rows) } : null;
    changed();
  }

  const polls = [
    every(POLL_MS, async () => selling !== null && lookAtPostgres()),
    every(PARTS_POLL_MS, async () => watchers.size > 0 && lookAtParts()),
  ];

  async function sellOut(scenario: Scenario, live: LiveSale): Promise<void> {
    const target = targetNow();
    const path = join(dirname(runsFolder(env)), 'console', 'history.jsonl');
    try {
      await using oracle = patientOracle(async () => ((await cluster.find()) ?? stack).postgresUrl);
      using history = writeHistory(path);
      const done = await run(scenario, {
        target,
        oracle,
        history,
        eventId: null,
        timeoutMs: TIMEOUT_MS,
        // Something may be cut on purpose.
        maxUnknown: Infinity,
        asksForMarks: true,
        wasDisturbed: (instanceId) =>
          replicas().some((part) => disturbed.has(part.name) && isNamed(instanceId, part)),
        onPrepared(eventId) {
          live.eventId = eventId;
          phase = 'selling';
          changed();
        },
        onAsk: () => (live.asked += 1),
        onAnswer(attempt) {
          live.attempts.push(attempt);
          changed();
        },
        onCounting() {
          phase = 'counting';
          changed();
        },
      });
      result = await lookAgain(done, oracle);
      const { truth, eventId } = result;
      seen = { available: truth.available, rows: truth.rows.length };
      phase = 'done';
      const { word } = verdictOf(result);
      say(`event ${eventId}: ${word}, ${count(truth.rows.length, 'booking')} in Postgres`, isBad(word));
    } catch (failure) {
      error = messageOf(failure);
      phase = 'failed';
      say(error, true);
    }
  }

  /** One thing at a time is done to a part, and whatever comes of it is said. */
  async function strike(name: string, done: string, action: () => Promise<unknown>): Promise<void> {
    if (busy.has(name)) throw new UserError(`${name}: something else is being done to it`);
    busy.add(name);
    disturbed.add(name);
    changed();
    try {
      await action();
      say(done);
    } catch (failure) {
      say(messageOf(failure), true);
      throw failure;
    } finally {
      busy.delete(name);
      await lookAtParts().catch(() => {});
    }
  }

  function stops(name: string): void {
    pauses.push({ part: name, fromMs: performance.now(), toMs: null });
  }

  function goesOn(name: string): void {
    pausedHere.delete(name);
    for (const pause of pauses) if (pause.part === name) pause.toMs ??= performance.now();
  }

  const actions: Record<Action, (name: string) => Promise<void>> = {
    pause: (name) =>
      strike(name, `${name} is paused`, async () => {
        await cluster.pause(name);
        pausedHere.add(name);
        stops(name);
      }),
    resume: (name) =>
      strike(name, `${name} goes on`, async () => {
        await cluster.resume(name);
        goesOn(name);
      }),
    kill: (name) =>
      strike(name, `${name} is killed`, async () => {
        await cluster.kill(name);
        goesOn(name);
        stops(name);
      }),
    start: (name) =>
      strike(name, `${name} is started`, async () => {
        await cluster.start(name);
        goesOn(name);
      }),
    flush: (name) =>
      strike(name, `${name} has lost everything it had`, () => cluster.redis(name, 'FLUSHALL')),
  };

  await lookAtParts();
  return {
    view: () => ({
      url: stack.url,
      runtime: stack.runtime,
      parts,
      busy: [...busy],
      isScaling: busy.has(SCALING),
      sale: sale && saleView(sale, { phase, seen, result, error }),
      figures: sale ? figuresOf(sale, marks, replicas()) : {},
      said,
    }),
    lanes() {
      const drawn = sale && raceOf(sale, seen ?? { rows: 0, available: 0 }, marks, replicas(), pauses);
      if (drawn === null || isOver()) return drawn && { ...drawn, untilMs: null };
      return { ...drawn, untilMs: phase === 'selling' ? drawn.untilMs : 1 };
    },
    report: () => result && jsonReport(targetNow(), [result]),

    sell(wishes) {
      if (selling !== null) throw new UserError('a sale is under way');
      const [scenario] = scenarios({ ...wishes, guards: [wishes.guard] });
      if (!scenario) return;
      marks.forget();
      pauses = pauses.filter(({ toMs }) => toMs === null);
      disturbed = new Set(busy);
      const live = { scenario, eventId: null, startedAt: new Date(), asked: 0, attempts: [] };
      [sale, phase, seen, result, error] = [live, 'preparing', null, null, null];
      selling = sellOut(scenario, live).finally(() => {
        selling = null;
        changed();
      });
      changed();
    },
    act: (part, action) => actions[action](part),
    scale: (wanted) =>
      strike(SCALING, count(wanted, 'replica'), async () => {
        await cluster.scale(wanted);
      }),
    async reset() {
      if (sale?.eventId == null) throw new UserError('nothing has been sold yet');
      const { eventId, scenario } = sale;
      await resetEvent(targetNow(), eventId, scenario.crowd.tickets);
      if (selling === null) {
        [sale, seen, result] = [null, null, null];
        marks.forget();
      }
      say(`event ${eventId} begins anew: ${count(scenario.crowd.tickets, 'ticket')} free`);
    },
    watch(onChange) {
      watchers.add(onChange);
      return { [Symbol.dispose]: () => void watchers.delete(onChange) };
    },
    async [Symbol.asyncDispose]() {
      for (const poll of polls) poll[Symbol.dispose]();
      marks[Symbol.dispose]();
      for (const name of pausedHere) {
        // It may have been started, or taken away, by somebody else since.
        await cluster.resume(name).catch(() => {});
      }
    },
  };
}

function isBad(word: Verdict['word']): boolean {
  return word === 'OVERSOLD' || word === 'FAILED';
}

function saleView(
  { scenario, eventId, asked, attempts }: LiveSale,
  now: {
    phase: SaleView['phase'];
    seen: SeenInPostgres | null;
    result: Run | null;
    error: string | null;
  },
): SaleView {
  const { phase, seen, result, error } = now;
  return {
    phase,
    event: eventId,
    strategy: scenario.guard.name,
    tickets: scenario.crowd.tickets,
    buyers: scenario.crowd.buyers,
    asked,
    answered: attempts.length,
    postgres: seen,
    verdict: result && verdictOf(result),
    unknown: result
      ? { count: result.settled.unknown, booked: result.settled.done }
      : { count: attempts.filter(isUnknown).length, booked: null },
    checks: (result?.judgement.checks ?? []).map(({ check, verdict, details, isExpected }) => ({
      check,
      verdict,
      details,
      isExpected,
    })),
    error,
  };
}

function messageOf(failure: unknown): string {
  return (failure as Error).message;
}

/** The next time only when the last one is done: what hangs is not asked twice. A failure is not the poller's to tell. */
function every(ms: number, work: () => Promise<unknown>): Disposable {
  let timer: NodeJS.Timeout;
  let isStopped = false;
  const plan = (): void => {
    if (isStopped) return;
    timer = setTimeout(
      () =>
        void work()
          .catch(() => {})
          .finally(plan),
      ms,
    );
    timer.unref();
  };
  plan();
  return {
    [Symbol.dispose]() {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}
