import { randomBytes } from 'node:crypto';

import { RACE_WINDOW_HEADER } from '@lastseat/booking/contract';
import { createLatencyLog, type Latency } from '@lastseat/lab-frame/latency.ts';
import { randomNumbers } from '@lastseat/lab-frame/random.ts';

import { NOOP_PATH } from '../bench/cell.ts';
import { coresBetween, readCpu, type CpuReading } from '../bench/cpu-cores.ts';
import type { BenchStack } from '../bench/stack/start-stack.ts';
import type { Drill } from '../drills/drill.ts';
import { closedLoop } from '../generators/closed-loop.ts';
import { outcomeOf, type Load, type Sent } from '../generators/exchange.ts';
import { measureLag } from '../generators/lag.ts';
import { openLoop } from '../generators/open-loop.ts';
import type { Operation } from '../history/operation.ts';
import { countSettled } from '../history/settled.ts';
import type { Cell, LabSettings, Outcome, Slice } from '../runs/run.ts';
import { createEvents, type Target } from '../target.ts';
import type { Oracle } from '../truth.ts';
import { requestsTo } from '../workloads/requests.ts';
import type { Workload } from '../workloads/workload.ts';
import { workloadOf } from '../workloads/workloads.ts';
import { faultOf } from './faults.ts';
import { judgeSlice, reasonToDoubt } from './judge-slice.ts';
import { sellOut } from './sell-out.ts';
import { BESIDE_A_FAULT, openStrike, type Striking } from './strike-slice.ts';

/** What a slice is measured with. */
export interface Lab {
  stack: BenchStack;
  oracle: Oracle;
  /** Where so many replicas are reached. */
  targetOf(replicas: number): Target;
  settings: LabSettings;
  /** Where cells have faults. */
  striking?: Striking;
  /** Interrupts a slice, which is then none. */
  signal?: AbortSignal;
  /** Of a closed loop: the longest that a slice may last, whatever its guard does. */
  endsAfterMs?: number;
  /** @returns the name of the file, or null where it is not worth one */
  keepHistory(cell: Cell, slice: Slice, operations: readonly Operation[]): string | null;
}

// Longer than any answer of the stack can take: nginx gives up after ten seconds.
const TIMEOUT_MS = 12_000;

/** One workload against one guard for one window, on events of its own, judged by what Postgres holds afterwards. */
export async function measureSlice(lab: Lab, cell: Cell, slice: number): Promise<Slice> {
  const { settings } = lab;
  const { arrivals } = settings;
  const fault = faultOf(cell);
  const workload = besideFault(workloadOf(cell.workload), fault);
  const target = lab.targetOf(cell.replicas);
  const runId = randomBytes(4).toString('hex');
  const isNoop = cell.strategy === 'no-op';
  const wishes = { ...settings, connections: cell.connections };
  const startedAt = new Date().toISOString();
  const tickets = isNoop ? [] : workload.tickets(wishes);
  const created = { startMs: performance.now(), endMs: 0 };
  const eventIds = await createEvents(target, `lab ${cell.workload} ${cell.strategy}`, tickets);
  created.endMs = performance.now();
  const path = requestsTo(cell.strategy, eventIds);
  const before = workload.isSoldOut && !isNoop ? await sellOut(target, path, tickets, runId) : [];

  const readings: CpuReading[] = [];
  const requests = settings.isTimed ? null : workload.requests(wishes);
  const { warmUpMs, windowMs } = settings;
  const load: Load = {
    url: target.url,
    connections: cell.connections,
    timing: requests === null ? { warmUpMs, windowMs } : { requests },
    timeoutMs: TIMEOUT_MS,
    endsAfterMs: lab.endsAfterMs,
    signal: lab.signal,
    runId,
    // The same requests for every guard in a slice of one number.
    client: (number) =>
      workload.client(
        randomNumbers(slice * CLIENTS_OF_A_SLICE + number),
        Math.max(1, tickets.length),
        number,
      ),
    request: isNoop ? () => ({ method: 'POST', path: NOOP_PATH }) : path,
    headers: {
      'content-type': 'application/json',
      ...(workload.raceWindowMs && { [RACE_WINDOW_HEADER]: String(workload.raceWindowMs) }),
    },
    onEdge(edge) {
      readings.push(readCpu(lab.stack));
      if (edge === 'opened') strike?.begin(windowMs);
    },
  };
  await using strike =
    lab.striking && fault
      ? await openStrike(lab.striking, { cell, drill: fault, target, eventIds, slice })
      : null;
  using lag = measureLag();
  const sent = await (arrivals === undefined
    ? closedLoop(load)
    : openLoop(load, { ...arrivals, random: randomNumbers(slice) }));
  const lagMs = lag.lagMs();
  await strike?.ended();
  lab.signal?.throwIfAborted();

  const window = inWindow(sent, requests !== null);
  const generator = { loop: arrivals === undefined ? 'closed' : 'open', lagMs, ...rates(sent) } as const;
  const alone = await judgeSlice({
    cell,
    workload,
    target,
    oracle: lab.oracle,
    runId,
    eventIds,
    tickets,
    before,
    created,
    sent,
    generator,
    ...(strike && { maxUnknown: Infinity }),
  });
  const { operations, ...verdict } = strike ? await strike.judge(alone) : alone;
  // A read changes nothing, whether or not it was done.
  const settled = countSettled(operations.filter(({ operation }) => operation !== 'read'));
  const measured: Slice = {
    slice,
    startedAt,
    eventIds,
    requests: {
      started: sent.exchanges.length,
      answered: sent.exchanges.filter(({ answer }) => answer).length,
      unknown: sent.exchanges.filter((exchange) => outcomeOf(exchange) === 'unknown').length,
    },
    ...(settled.unknown > 0 && { settled }),
    ...window,
    generator,
    // Processes that a fault has ended cannot be asked what they have used.
    cpuCores: strike ? null : coresBetween(readings),
    ...verdict,
    void: reasonToDoubt(verdict.checks),
    history: null,
  };
  return { ...measured, history: lab.keepHistory(cell, measured, operations) };
}

/** What is unknown, and who did not take part, is then the fault's doing. */
function besideFault(workload: Workload, fault: Drill | null): Workload {
  return fault === null ? workload : { ...workload, exempt: [...workload.exempt, ...BESIDE_A_FAULT] };
}

// More than any slice has; a seed for each client of each slice.
const CLIENTS_OF_A_SLICE = 1_000_003;

function rates({ offeredPerS, achievedPerS }: Sent) {
  return { offeredPerS: toTenths(offeredPerS), achievedPerS: toTenths(achievedPerS) };
}

function toTenths(rate: number | null): number | null {
  return rate && Math.round(rate * 10) / 10;
}

/** What was answered in the window, and how long those had waited that were under way in it. */
export function inWindow(
  { exchanges, window }: Pick<Sent, 'exchanges' | 'window'>,
  endsWithLastAnswer: boolean,
): Pick<Slice, 'windowMs' | 'answers' | 'perSecond' | 'latency'> {
  const { fromMs } = window;
  const lastMs = exchanges.reduce((last, { answer }) => Math.max(last, answer?.receivedAtMs ?? 0), fromMs);
  const untilMs = endsWithLastAnswer ? lastMs : window.untilMs;
  const windowMs = Math.max(1, untilMs - fromMs);
  const answers: Partial<Record<Outcome, number>> = {};
  const logs = new Map<Outcome, ReturnType<typeof createLatencyLog>>();
  for (const exchange of exchanges) {
    const { answer, intendedAtMs } = exchange;
    if (!answer || answer.receivedAtMs < fromMs) continue;
    const outcome = outcomeOf(exchange);
    if (answer.receivedAtMs <= untilMs) answers[outcome] = (answers[outcome] ?? 0) + 1;
    // Also those that the window closed upon: without them a guard that makes buyers wait for long would look quick.
    if (intendedAtMs > untilMs) continue;
    const log = logs.get(outcome) ?? createLatencyLog();
    logs.set(outcome, log);
    log.add(answer.receivedAtMs - intendedAtMs);
  }
  const perSecond = Object.entries(answers).map(([outcome, times]) => [
    outcome,
    Math.round((times / windowMs) * 10_000) / 10,
  ]);
  const latency = [...logs].map(([outcome, log]) => [outcome, log.summary()]);
  return {
    windowMs: Math.round(windowMs),
    answers,
    perSecond: Object.fromEntries(perSecond) as Slice['perSecond'],
    latency: Object.fromEntries(latency) as Partial<Record<Outcome, Latency>>,
  };
}
