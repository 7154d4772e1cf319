import { setTimeout as sleep } from 'node:timers/promises';

import type { Guarantee } from '@lastseat/booking/contract';
import type { Cluster } from '@lastseat/infra/cluster';
import { randomNumbers } from '@lastseat/lab-frame/random.ts';

import type { Drill } from '../drills/drill.ts';
import { judgeBuyers, oversoldOf, worstOf } from '../drills/judge-strike.ts';
import { strikeAndHeal, type Strike } from '../drills/play-drill.ts';
import { openBuyers } from '../faults/buyers.ts';
import { postgresFinder, replicaParts } from '../faults/replicas.ts';
import type { Operation } from '../history/operation.ts';
import type { Cell, CheckVerdict, Slice } from '../runs/run.ts';
import type { Target } from '../target.ts';
import type { Workload } from '../workloads/workload.ts';
import { FAULT_STRUCK } from './judge-slice.ts';

/** What a lab needs to strike the stack that it measures. */
export interface Striking {
  cluster: Cluster;
  signal: AbortSignal;
  guaranteeOf(strategy: string): Guarantee;
  /** What was killed runs again, as a process of another number. */
  onHealed(): void;
}

/** A fault that strikes once in the middle of a slice, while the load of the slice goes on. */
export interface SliceStrike extends AsyncDisposable {
  /** As the window opens. */
  begin(windowMs: number): void;
  /** When it is healed, and everybody whom it has met was answered. */
  ended(): Promise<void>;
  /** @param load what the checks say of the load itself */
  judge(load: Judged): Promise<Judged & Pick<Slice, 'strike'>>;
}

interface Judged {
  checks: CheckVerdict[];
  operations: Operation[];
}

export interface StruckSlice {
  cell: Cell;
  drill: Drill;
  target: Target;
  eventIds: readonly number[];
  /** The same strike for every guard in slices of one number. */
  slice: number;
}

/** Of bookings that are held while it strikes: enough that a replica has one, few enough to leave the load its connections. */
const HELD = [1, 1, 1, 1];

/** What is right beside a fault and wrong elsewhere: replicas come and go, and so do their answers. */
export const BESIDE_A_FAULT: Workload['exempt'] = [
  'ended_unknown',
  'not_in_postgres',
  'one_instance',
  'losers_on_one_instance',
  'replica_left_out',
];

export async function openStrike(
  { cluster, signal, guaranteeOf, onHealed }: Striking,
  { cell, drill, target, eventIds, slice }: StruckSlice,
): Promise<SliceStrike> {
  const { strategy, replicas } = cell;
  const buyers = await openBuyers({ target }, strategy, drill.holds ? HELD : []);
  const random = randomNumbers(slice);
  let openedAtMs = 0;
  let striking: Promise<Strike> | null = null;
  let strike: Strike | null = null;

  async function strikeMidway(windowMs: number): Promise<Strike> {
    const [least, most] = drill.lastsMs;
    await sleep(Math.max(0, (windowMs - (least + most) / 2) / 2));
    const all = (await replicaParts(cluster)).map(({ name }) => name);
    const scenery = { url: target.url, eventIds, buyers: [buyers], replicas: all.slice(0, replicas), random };
    return strikeAndHeal({ cluster, signal, size: all.length }, drill, scenery).finally(onHealed);
  }

  return {
    begin(windowMs) {
      openedAtMs = performance.now();
      striking = strikeMidway(windowMs);
      striking.catch(() => {}); // heard of when it ends
    },
    async ended() {
      if (striking) strike = await striking;
      await buyers.allAnswered();
    },
    async judge(load) {
      if (strike === null || strike.isMissed) {
        const detail = `${drill.name} found nothing to strike`;
        return { ...load, checks: [...load.checks, { check: FAULT_STRUCK, verdict: 'not shown', detail }] };
      }
      const now = { ...target, postgresUrl: await postgresFinder(cluster, target)() };
      const held = await judgeBuyers(drill, { target: now, size: replicas }, strategy, buyers);
      const operations = [...load.operations, ...(held?.operations ?? [])];
      const found = oversoldOf(operations, strike.struck());
      // What a handful of buyers has not shown, the load may have.
      const ofHeld = (held?.checks ?? []).filter(({ verdict }) => verdict !== 'not shown');
      const checks = asItSays(
        worstOf([...load.checks, ...ofHeld]),
        drill.breaks.includes(guaranteeOf(strategy)),
      );
      return {
        checks: [...checks, wasShown(checks, found.held.struck)],
        operations,
        strike: {
          atMs: Math.round(strike.strikeAtMs - openedAtMs),
          lastedMs: Math.round(strike.healedAtMs - strike.strikeAtMs),
          ...found,
        },
      };
    },
    async [Symbol.asyncDispose]() {
      (await striking?.catch(() => null))?.[Symbol.dispose]();
      await buyers[Symbol.asyncDispose]();
    },
  };

  /** As a drill has it: what strikes nobody shows nothing, nor does what must break a guard and does not. */
  function wasShown(checks: readonly CheckVerdict[], struck: number): CheckVerdict {
    const check = FAULT_STRUCK;
    if (drill.holds && struck === 0) {
      const detail = `no booking was between its read and its write when ${drill.name} struck`;
      return { check, verdict: 'not shown', detail };
    }
    const isToBreak = drill.mustBreak?.includes(guaranteeOf(strategy)) ?? false;
    if (!isToBreak || checks.some(({ verdict }) => verdict === 'failed')) {
      return { check, verdict: 'passed', detail: null };
    }
    return {
      check,
      verdict: 'not shown',
      detail: `${strategy} was to break under ${drill.name}, and did not`,
    };
  }
}

/** A guard that promises less than the fault asks of it may break: then that is what the cell was there to show. */
function asItSays(checks: readonly CheckVerdict[], isAllowed: boolean): CheckVerdict[] {
  return checks.map((verdict) =>
    isAllowed && verdict.verdict === 'failed' && verdict.check !== 'accounted_for'
      ? { ...verdict, isExpected: true }
      : verdict,
  );
}
