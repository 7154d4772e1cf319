import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';

import { judgeEvents } from '../drills/judge-events.ts';
import { judgeBuyers } from '../drills/judge-strike.ts';
import type { Arena } from '../faults/arena.ts';
import type { Exchange, Sent } from '../generators/exchange.ts';
import { lastEndOfHolds } from '../history/expiries.ts';
import type { Operation } from '../history/operation.ts';
import type { CheckVerdict } from '../runs/run.ts';
import { givenUpAtMs } from '../settle.ts';
import { isUnknown } from '../tally.ts';
import { openOracle } from '../truth.ts';
import { nothingLost } from './lost.ts';
import { startLoads, type MixedLoad } from './mixed-load.ts';
import type { PlannedFault } from './plan.ts';
import { sellOut } from './sell-out.ts';
import { strikeOne, type Fault, type HeldSale, type Struck } from './strike.ts';

/**
 * Some faults, one after the other, under one load; then a rest, in which nothing strikes and nobody asks: what is of
 * unknown end is settled, what is left is sold, and everything is judged. Nothing of it is kept in memory after that.
 */
export interface Round {
  number: number;
  faults: Fault[];
  requests: { sent: number; unknown: number; open: number };
  events: { judged: number; undecided: number };
  violations: Violation[];
  /** Of all events of the round, for a second look when all is over. */
  eventIds: number[];
}

/** Something that must not be. */
export interface Violation {
  round: number;
  /** Of which guard, or of the whole service. */
  of: string;
  /** The faults that struck while its events were on sale. */
  faults: string;
  check: string;
  detail: string;
}

/** What all rounds of a soak have in common. */
export interface Soak {
  arena: Arena;
  strategies: readonly string[];
  seed: number;
  startedAtMs: number;
  /** Nothing strikes any more. */
  isOver(): boolean;
  onStrike(): void;
  /** Told of what is being done. */
  onStep(what: string): void;
}

/** As many as are struck within some minutes: the rest after them takes half a minute. */
const FAULTS = 20;
const SOAK = { name: 'soak', what: 'faults at random' };

export async function playRound(
  soak: Soak,
  number: number,
  plan: Iterator<PlannedFault, never>,
  folder: string,
): Promise<Round> {
  const { arena, strategies, seed, startedAtMs, onStep } = soak;
  const loads = startLoads(arena.target, strategies, seed + number);
  const struck: Struck[] = [];
  const sales: { load: MixedLoad; sent: Sent }[] = [];
  try {
    while (struck.length < FAULTS && !soak.isOver()) {
      const planned = plan.next().value;
      onStep(`fault ${planned.number}: ${planned.drills.map(({ name }) => name).join(' and ')}`);
      await Promise.all(loads.map((load) => load.nextWave()));
      soak.onStrike();
      struck.push(await strikeOne(arena, planned, { loads, strategies, startedAtMs }));
    }
  } finally {
    sales.push(...(await Promise.all(loads.map(async (load) => ({ load, sent: await load.end() })))));
  }
  onStep(`after round ${number}: settling, selling what is left, checking`);
  const waves = struck.map(({ fault, held }) => ({ fault: fault(), held }));
  const held = waves.flatMap(({ held }) => held);
  const all = [...sales.map(({ sent }) => sent), ...held.map(({ buyers }) => buyers)].flatMap(
    ({ exchanges }) => exchanges,
  );
  await sleep(Math.max(0, Math.max(givenUpAtMs(all), lastEndOfHolds(all) ?? 0) - performance.now()));
  await Promise.all(
    sales.map(async ({ load, sent }) => {
      sent.exchanges.push(...(await sellOut(arena.target, load)));
    }),
  );
  const judged = await judgeRound(arena, { sales, waves });
  keepHistory(join(folder, `history-${String(number).padStart(4, '0')}.jsonl.gz`), judged.operations);
  const open = judged.operations.filter(({ settled }) => settled === 'open').length;
  const undecided = judged.verdicts.filter(
    ({ check, verdict }) => check === 'linearizability' && verdict === 'not shown',
  );
  const eventIds = [...loads, ...held.map(({ buyers }) => buyers)].flatMap(({ eventIds }) => eventIds);
  return {
    number,
    faults: waves.map(({ fault }) => fault),
    requests: { sent: all.length, unknown: all.filter(isUnknown).length, open },
    events: { judged: eventIds.length, undecided: undecided.length },
    violations: judged.verdicts
      .filter(({ verdict }) => verdict === 'failed')
      .map(({ of, faults, check, detail }) => ({ round: number, of, faults, check, detail: detail ?? '' })),
    eventIds,
  };
}

type Judged = Awaited<ReturnType<typeof judgeEvents>>;

type Verdict = CheckVerdict & Pick<Violation, 'of' | 'faults'>;

interface Played {
  /** Each with what it has sent. */
  sales: readonly { load: MixedLoad; sent: Sent }[];
  /** One for each fault. */
  waves: readonly { fault: Fault; held: HeldSale[] }[];
}

async function judgeRound(arena: Arena, { sales, waves }: Played) {
  const operations: Operation[] = [];
  const verdicts: Verdict[] = [];
  const note = (of: string, faults: string, found: Judged): void => {
    for (const check of found.checks) verdicts.push({ ...check, of, faults });
    operations.push(...found.operations);
  };
  for (const { fault } of waves) note('the service', nameOf(fault), { checks: fault.checks, operations: [] });
  const place = { target: await arena.targetNow(), size: arena.size };
  await Promise.all(sales.map(judgeSale));
  return { verdicts, operations };

  async function judgeSale({ load, sent }: Played['sales'][number]): Promise<void> {
    const of = load.name;
    await using oracle = await openOracle(place.target.postgresUrl);
    for (const [wave, { fault, held }] of waves.entries()) {
      const faults = nameOf(fault);
      const own = sent.exchanges.filter(({ ask }) => ask.event === wave);
      const rows = new Set((await oracle.read(load.eventIds[wave] ?? 0))?.rows.map(({ id }) => id));
      verdicts.push({ ...nothingLost(own, rows), of, faults });
      note(of, faults, await judgeEvents(SOAK, place, ofWave(load, wave, sent, own)));
      for (const { buyers } of held.filter(({ strategy }) => strategy === of)) {
        const found = await judgeBuyers(SOAK, place, load.strategy, buyers);
        if (found) note(of, faults, found);
      }
    }
  }
}

function nameOf({ number, drills }: Fault): string {
  return `${number}, ${drills.join(' and ')}`;
}

/** One event of a load, as a sale of its own. */
function ofWave(load: MixedLoad, wave: number, sent: Sent, own: readonly Exchange[]) {
  const exchanges = own.map((exchange) => ({ ...exchange, ask: { ...exchange.ask, event: 0 } }));
  return {
    strategy: load.strategy,
    runId: load.runId,
    eventIds: load.eventIds.slice(wave, wave + 1),
    tickets: load.tickets.slice(wave, wave + 1),
    created: load.created,
    exempt: load.exempt,
    sent: { ...sent, exchanges },
  };
}

function keepHistory(file: string, operations: readonly Operation[]): void {
  writeFileSync(file, gzipSync(operations.map((operation) => `${JSON.stringify(operation)}\n`).join('')));
}
