import { setTimeout as sleep } from 'node:timers/promises';

import type { FindingKind } from '../../checks/judge.ts';
import type { LoggedMark } from '../../faults/replicas.ts';
import { judgeSlice } from '../../lab/judge-slice.ts';
import type { Cell, CheckVerdict, LabStrategy } from '../../runs/run.ts';
import type { Arena } from '../arena.ts';
import { SHOWN, type Attack, type Judged } from '../attack.ts';
import { openBuyers, type Buyers, type Sent } from '../buyers.ts';
import type { StrategyOfFile } from '../read-strategies.ts';

/**
 * A fault that strikes a booking between its read and its write. There it is held for some seconds
 * (`holdRaceWindow`, which marks it in the replica's log), so that the fault meets it there for certain. Then somebody else
 * buys; then the fault is mended, and the held one goes on with what it has read before.
 */
export interface HolderAttack extends Pick<Attack, 'name' | 'what' | 'breaks' | 'expectedMs'> {
  /** Of each event that has a booking held: one with one ticket sees a second sale, one with two a lost one. */
  tickets: readonly number[];
  /** Findings that are right here: the fault makes them. */
  exempt?: readonly FindingKind[];
  strike(arena: Arena, holders: readonly Holder[]): Promise<void>;
  /** When somebody else was told, or has waited for long enough. */
  heal(arena: Arena, holders: readonly Holder[]): Promise<void>;
  /** In a few words, of the replicas that it has struck. */
  seen(replicas: string, others: string): string;
}

/** A booking that is held, and where. */
export interface Holder {
  sent: Sent;
  instanceId: string;
  requestId: string;
}

// Three leases: what strikes has time to strike, and others to buy.
const HOLD_MS = 3_000;
const MOST_TRIES = 3;
// To come into its window: it waits for nobody, on a machine that may be busy.
const HELD_WITHIN_MS = 5_000;
// Several leases, and well within the time of the request that is held.
const OTHERS_WITHIN_MS = 6_000;
// Longer than the lease of whoever was struck, a wait for the lock, and what Postgres grants a transaction that is idle.
const RECOVERED_WITHIN_MS = 12_000;
const POLL_MS = 10;

export function holderAttack(attack: HolderAttack): Attack {
  return {
    ...attack,
    async run(arena, strategy) {
      for (let tries = 1; ; tries += 1) {
        const struck = await strikeOnce(arena, strategy, attack);
        if (!('missed' in struck)) return struck;
        if (tries < MOST_TRIES) continue;
        const checks: CheckVerdict[] = [{ check: SHOWN, verdict: 'not shown', detail: struck.missed }];
        return { seen: '', operations: [], checks };
      }
    },
  };
}

/** The fault found nobody between read and write: nothing was shown. */
interface Missed {
  missed: string;
}

async function strikeOnce(
  arena: Arena,
  strategy: StrategyOfFile,
  attack: HolderAttack,
): Promise<Judged | Missed> {
  await using buyers = await openBuyers(arena, strategy.name, attack.tickets);
  const holders: Holder[] = [];
  for (const [event] of attack.tickets.entries()) {
    const held = await sendAndHold(arena, buyers, event);
    if ('missed' in held) return held;
    holders.push(held);
  }
  await attack.strike(arena, holders);
  const isMissed = await haveGoneOn(arena, holders);
  const told: string[] = [];
  try {
    // One after the other: nginx asks the replica that has the least to do, which none of the struck ones is.
    for (const [event] of attack.tickets.entries()) {
      if (!isMissed) told.push(await buyers.buy(event, OTHERS_WITHIN_MS));
    }
  } finally {
    await attack.heal(arena, holders);
  }
  await Promise.all(holders.map(({ sent }) => sent.answered));
  if (isMissed) return { missed: 'the machine was too busy: the fault came when the booking had gone on' };
  const recovered: CheckVerdict[] = [];
  for (const [event] of attack.tickets.entries()) recovered.push(await sellsAgain(buyers, event));
  const judged = await judge(arena, strategy, attack, buyers);
  const replicas = [...new Set(holders.map(({ instanceId }) => instanceId))].join(' and ');
  return {
    seen: attack.seen(replicas, `the next buyers were told ${told.join(' and ')}`),
    operations: judged.operations,
    checks: [...judged.checks, worst(recovered)],
  };
}

/** Somebody was let go before the fault struck. */
async function haveGoneOn({ replicas }: Arena, holders: readonly Holder[]): Promise<boolean> {
  const marks = await replicas.marks();
  return holders.some(
    ({ requestId }) => marks.findLast((mark) => mark.requestId === requestId)?.mark !== 'decides',
  );
}

async function sendAndHold(
  { replicas, signal }: Arena,
  buyers: Buyers,
  event: number,
): Promise<Holder | Missed> {
  const before = new Set((await replicas.marks()).filter(isHeld).map(({ requestId }) => requestId));
  const sent = buyers.send(event, HOLD_MS);
  const untilMs = performance.now() + HELD_WITHIN_MS;
  while (performance.now() < untilMs && sent.exchange.answer === null) {
    const mark = (await replicas.marks()).find((mark) => isHeld(mark) && !before.has(mark.requestId));
    if (mark !== undefined) return { sent, instanceId: mark.instanceId, requestId: mark.requestId };
    await sleep(POLL_MS, undefined, { signal });
  }
  await sent.answered;
  const told = sent.exchange.answer?.code ?? 'nothing';
  return {
    missed: `a buyer alone was told ${told} and was never held between read and write: nothing to strike at`,
  };
}

const isHeld = ({ mark }: LoggedMark): boolean => mark === 'decides';

/** What a fault has left behind must not keep everybody out for ever. */
async function sellsAgain(buyers: Buyers, event: number): Promise<CheckVerdict> {
  const check = 'sells-again';
  const told = await buyers.buy(event, RECOVERED_WITHIN_MS);
  if (told === 'booked' || told === 'sold_out') return { check, verdict: 'passed', detail: null };
  const detail = `${RECOVERED_WITHIN_MS / 1_000} s later event ${buyers.eventIds[event]} still sells to nobody: they are told ${told}`;
  return { check, verdict: 'failed', detail };
}

function worst(verdicts: readonly CheckVerdict[]): CheckVerdict {
  const found = verdicts.find(({ verdict }) => verdict === 'failed') ?? verdicts[0];
  return found ?? { check: 'sells-again', verdict: 'not shown', detail: 'nobody was asked' };
}

// A handful of buyers, one after the other, is no crowd.
const NO_CROWD: readonly FindingKind[] = [
  'never_sold_out',
  'contention_not_shown',
  'one_instance',
  'losers_on_one_instance',
  'replica_left_out',
];

async function judge(
  { target, oracle, size }: Arena,
  { name }: StrategyOfFile,
  attack: HolderAttack,
  { runId, eventIds, tickets, exchanges }: Buyers,
): Promise<Pick<Judged, 'checks' | 'operations'>> {
  const cell: Cell = {
    workload: attack.name,
    strategy: name as LabStrategy,
    replicas: size,
    connections: exchanges.length,
    sells: 'exactly',
    slices: [],
  };
  const now = performance.now();
  const createdMs = Math.min(now, ...exchanges.map(({ startedAtMs }) => startedAtMs));
  return judgeSlice({
    cell,
    workload: {
      name: attack.name,
      what: attack.what,
      tickets: () => [...tickets],
      requests: () => exchanges.length,
      client: () => ({ next: () => ({ operation: 'book', event: 0, quantity: 1 }) }),
      counts: ['booked'],
      exempt: [...NO_CROWD, ...(attack.exempt ?? [])],
    },
    target,
    oracle,
    runId,
    eventIds,
    tickets,
    before: [],
    created: { startMs: createdMs - 1, endMs: createdMs },
    sent: {
      exchanges,
      window: { fromMs: createdMs, untilMs: now },
      strayAnswers: 0,
      counted: null,
      offeredPerS: null,
      achievedPerS: null,
    },
    generator: { loop: 'closed', offeredPerS: null, achievedPerS: null, lagMs: { p50: 0, p99: 0, max: 0 } },
  });
}
