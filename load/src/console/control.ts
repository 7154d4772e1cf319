import { dirname, join } from 'node:path';

import type { Cluster, ClusterPart } from '@lastseat/infra/cluster';
import { UserError } from '@lastseat/infra/command-line';
import type { Stack } from '@lastseat/infra/stack';
import { count } from '@lastseat/lab-frame/words.ts';

import { isNamed, postgresFinder } from '../faults/replicas.ts';
import { writeHistory } from '../history/write-history.ts';
import { patientOracle } from '../patient-oracle.ts';
import { liveMarks } from '../race/live-marks.ts';
import type { Race } from '../race/race.ts';
import { jsonReport } from '../report/json.ts';
import { verdictOf, type Verdict } from '../report/verdict.ts';
import { lookAgain, run, type Run } from '../run.ts';
import { runsFolder } from '../runs/store.ts';
import { scenarios, type GuardName, type Scenario } from '../scenario.ts';
import { resetEvent, type Target } from '../target.ts';
import { figuresOf, raceOf, type LiveSale, type SeenInPostgres } from './live-sale.ts';
import { every } from './poll.ts';
import { strikesOn, type Action } from './strikes.ts';
import { saleView, type ConsoleView, type SaleView } from './view.ts';

export interface SaleWishes {
  guard: GuardName;
  tickets: number;
  buyers: number;
  raceWindowMs: number;
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
    void marks.listenTo(replicas().map(({ name }) => name));
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

  const strikes = strikesOn(cluster, say, lookAtParts);
  const polls = [
    every(POLL_MS, async () => selling !== null && lookAtPostgres()),
    every(PARTS_POLL_MS, async () => watchers.size > 0 && lookAtParts()),
  ];

  async function sellOut(scenario: Scenario, live: LiveSale): Promise<void> {
    const target = targetNow();
    const path = join(dirname(runsFolder(env)), 'console', 'history.jsonl');
    try {
      await using oracle = patientOracle(postgresFinder(cluster, stack));
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
          replicas().some((part) => strikes.wasDisturbed(part.name) && isNamed(instanceId, part)),
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

  await lookAtParts();
  return {
    view: () => ({
      url: stack.url,
      runtime: stack.runtime,
      parts,
      busy: strikes.busy(),
      isScaling: strikes.isScaling(),
      sale: sale && saleView(sale, { phase, seen, result, error }),
      figures: sale ? figuresOf(sale, marks, replicas()) : {},
      said,
    }),
    lanes() {
      const drawn =
        sale && raceOf(sale, seen ?? { rows: 0, available: 0 }, marks, replicas(), strikes.pauses());
      if (drawn === null || isOver()) return drawn && { ...drawn, untilMs: null };
      return { ...drawn, untilMs: phase === 'selling' ? drawn.untilMs : 1 };
    },
    report: () => result && jsonReport(targetNow(), [result]),

    sell(wishes) {
      if (selling !== null) throw new UserError('a sale is under way');
      const [scenario] = scenarios({ ...wishes, guards: [wishes.guard] });
      if (!scenario) return;
      marks.forget();
      strikes.beginSale();
      const live = { scenario, eventId: null, startedAt: new Date(), asked: 0, attempts: [] };
      [sale, phase, seen, result, error] = [live, 'preparing', null, null, null];
      selling = sellOut(scenario, live).finally(() => {
        selling = null;
        changed();
      });
      changed();
    },
    act: (part, action) => strikes.act(part, action),
    scale: (wanted) => strikes.scale(wanted),
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
      await strikes[Symbol.asyncDispose]();
    },
  };
}

function isBad(word: Verdict['word']): boolean {
  return word === 'OVERSOLD' || word === 'FAILED';
}

function messageOf(failure: unknown): string {
  return (failure as Error).message;
}
