import { setTimeout as sleep } from 'node:timers/promises';

import { count, examples } from '@lastseat/lab-frame/words.ts';

import { collectEvidence } from '../checks/evidence.ts';
import { CHECKS, judge, type FindingKind, type Judgement } from '../checks/judge.ts';
import type { Wave } from '../crowd.ts';
import type { Exchange, Sent } from '../generators/exchange.ts';
import { expiriesOf, expiryOperations, lastEndOfHolds } from '../history/expiries.ts';
import type { Operation } from '../history/operation.ts';
import { historyOf, otherOperation, type Span } from '../history/operations.ts';
import { lookUpUnknown } from '../look-up.ts';
import { rollCall, watchConnections } from '../replicas.ts';
import type { Cell, CheckVerdict, Generator, Slice } from '../runs/run.ts';
import { guardOf } from '../scenario.ts';
import { readSettled } from '../settle.ts';
import { isUnknown, names } from '../tally.ts';
import type { Target } from '../target.ts';
import type { Oracle } from '../truth.ts';
import type { Workload } from '../workloads/workload.ts';

export interface SliceFacts {
  cell: Cell;
  workload: Workload;
  target: Target;
  oracle: Oracle;
  runId: string;
  eventIds: readonly number[];
  tickets: readonly number[];
  /** What was bought before the first client came. */
  before: readonly Exchange[];
  created: Span;
  sent: Sent;
  generator: Generator;
  /** Requests of each event that may end unknown: more than none where something is struck on purpose. */
  maxUnknown?: number;
}

/** The checks of every event of a slice, and of the generator, and whether any of it is to be believed. */
export async function judgeSlice(
  facts: SliceFacts,
): Promise<Pick<Slice, 'checks' | 'void'> & { operations: Operation[] }> {
  const isNoop = facts.cell.strategy === 'no-op';
  const events: Judged = isNoop ? { checks: [], operations: [] } : await judgeEvents(facts);
  const checks = [
    accountedFor(facts.sent),
    keptUp(facts.generator),
    ...(isNoop ? [] : repeatsAnsweredAlike(facts.sent)),
    ...events.checks,
  ];
  return { checks, void: reasonToDoubt(checks), operations: events.operations };
}

/** Why no throughput of such a slice is to be shown. */
export function reasonToDoubt(checks: readonly CheckVerdict[]): string | null {
  const failed = checks.find(({ verdict, isExpected }) => verdict === 'failed' && !isExpected);
  const missed = checks.find(({ check, verdict }) => ESSENTIAL.has(check) && verdict === 'not shown');
  // What sells what is not there has no throughput.
  const oversells = checks.find(({ isExpected }) => isExpected);
  return (failed ?? missed ?? oversells)?.detail ?? null;
}

/** The generator's own book, beside what its client library counted. */
function accountedFor({ exchanges, counted, strayAnswers }: Sent): CheckVerdict {
  const answered = exchanges.filter(({ answer }) => answer).length;
  const gaps = [
    exchanges.length === 0 ? 'nothing was sent' : '',
    answered === 0 ? 'nothing was answered' : '',
    strayAnswers > 0 ? `${count(strayAnswers, 'answer')} that no request was waiting for` : '',
    counted && counted.sent !== exchanges.length
      ? `${count(exchanges.length, 'request')} noted but ${counted.sent} sent`
      : '',
    counted && counted.answered !== answered + strayAnswers
      ? `${count(answered, 'answer')} noted but ${counted.answered} received`
      : '',
  ].filter(Boolean);
  const detail = gaps.length === 0 ? null : `the books do not balance: ${gaps.join('; ')}`;
  return { check: 'accounted_for', verdict: detail === null ? 'passed' : 'failed', detail };
}

const KEPT_UP = 'generator_kept_up';

/** Of a cell with a fault: it has met what it was to meet. */
export const FAULT_STRUCK = 'fault_struck';

// What has not shown these has measured something else than what was asked.
const ESSENTIAL: ReadonlySet<string> = new Set([KEPT_UP, FAULT_STRUCK]);

// With less of what it offers, what was measured is another rate than the one that was asked for.
const LEAST_ACHIEVED = 0.97;
// Of an open loop: what the generator itself adds to one request in a hundred.
const MOST_LAG_MS = 50;

function keptUp({ loop, offeredPerS, achievedPerS, lagMs }: Generator): CheckVerdict {
  const passed = { check: KEPT_UP, verdict: 'passed', detail: null } as const;
  if (loop === 'closed' || offeredPerS === null || achievedPerS === null) return passed;
  if (achievedPerS < LEAST_ACHIEVED * offeredPerS) {
    const detail = `the generator sent ${achievedPerS} requests a second of the ${offeredPerS} that it was to send`;
    return { ...passed, verdict: 'not shown', detail };
  }
  if (lagMs.p99 <= MOST_LAG_MS) return passed;
  const detail = `the generator itself was ${Math.round(lagMs.p99)} ms late (p99)`;
  return { ...passed, verdict: 'not shown', detail };
}

interface Judged {
  checks: CheckVerdict[];
  operations: Operation[];
}

async function judgeEvents(facts: SliceFacts): Promise<Judged> {
  const { cell, workload, target, oracle, eventIds } = facts;
  const exchanges = [...facts.before, ...facts.sent.exchanges];
  const answered = names(exchanges);
  await using witness = watchConnections(target, oracle);
  const up = await stillUp(answered, target, cell.replicas);
  const isExempt = workload.exempt.includes('not_in_postgres');
  const inPostgres = isExempt ? answered : await witness.found(answered);
  const byEvent = Map.groupBy(exchanges, ({ ask }) => ask.event);
  // A hold that has not ended is neither sold nor free: then Postgres is read too early.
  const endMs = lastEndOfHolds(exchanges);
  if (endMs !== null) await sleep(Math.max(0, endMs - performance.now()));
  const judged: Awaited<ReturnType<typeof judgeEvent>>[] = [];
  for (const [index, eventId] of eventIds.entries()) {
    const ofEvent = byEvent.get(index) ?? [];
    judged.push(await judgeEvent(facts, { eventId, index, exchanges: ofEvent, up, inPostgres }));
  }
  const findings = judged.map(({ findings }) => findings);
  return {
    checks: verdictsOf(findings, workload),
    operations: judged.flatMap(({ operations }) => operations),
  };
}

interface EventOfSlice {
  eventId: number;
  /** Among those of the slice. */
  index: number;
  exchanges: readonly Exchange[];
  up: readonly string[];
  inPostgres: readonly string[];
}

async function judgeEvent(facts: SliceFacts, event: EventOfSlice) {
  const { cell, workload, target, oracle, runId, created, maxUnknown = 0 } = facts;
  const { eventId, exchanges, up, inPostgres } = event;
  const guard = guardOf(cell.strategy);
  const tickets = facts.tickets[event.index] ?? 0;
  const attempts = mergeRepeats(exchanges.filter(isForTickets));
  const counted = { startMs: performance.now(), endMs: 0 };
  const writing = exchanges.filter(({ ask }) => ask.operation !== 'read');
  const truth = await readSettled(oracle, eventId, writing, maxUnknown);
  counted.endMs = performance.now();
  if (!truth) {
    const detail = `event ${eventId} vanished`;
    const findings: EventFindings = {
      wrong: [{ kind: 'event_reset', detail }],
      shown: [],
      notShown: [],
      checks: [],
    };
    return { findings, operations: [] };
  }
  const sale = { event: eventId, strategy: guard.strategy, quantity: 1 };
  const heldUnknown = await holdsOfUnknownEnd(oracle, eventId, attempts);
  const lookUps = await lookUpUnknown(target, attempts);
  // They have no row of a booking, and there was one: whoever looks them up is told so.
  for (const { customer, id } of heldUnknown) if (lookUps.get(customer) === id) lookUps.delete(customer);
  const isSettled = writing.filter(isUnknown).length <= maxUnknown;
  const others = exchanges
    .filter((exchange) => !isForTickets(exchange))
    .map((exchange) => otherOperation(sale, exchange, truth))
    .concat(expiryOperations(sale, exchanges), expiriesOf(sale, heldUnknown));
  const booked = historyOf({
    sale,
    tickets,
    attempts,
    truth,
    lookUps,
    heldUnknown,
    isSettled,
    created,
    counted,
  });
  // After the creation, which is the first. They may be too many to be arguments of one call.
  const operations = booked.slice(0, 1).concat(others, booked.slice(1));
  const judgement = judge(
    collectEvidence({
      crowd: {
        tickets,
        buyers: attempts.length,
        quantity: 1,
        connections: cell.connections,
        raceWindowMs: workload.raceWindowMs ?? 0,
      },
      terms: {
        sells: guard.sells,
        strategy: guard.strategy,
        replicas: cell.replicas,
        maxUnknown,
        isBusyFine: true,
      },
      event: { id: eventId, epoch: FIRST_EPOCH },
      runId,
      replicas: { up, inPostgres },
      lookUps,
      waves: [waveOf(attempts)],
      truth,
      history: operations,
    }),
  );
  // Where a race was seen, that nobody lacked a ticket does not matter.
  const findings = judgement.shown.length > 0 ? { ...judgement, notShown: [] } : judgement;
  return { findings, operations };
}

async function holdsOfUnknownEnd(oracle: Oracle, eventId: number, attempts: readonly Exchange[]) {
  const lost = attempts.filter((attempt) => attempt.ask.operation === 'hold' && isUnknown(attempt));
  const customers = new Set(lost.map(({ customer }) => customer));
  const holds = customers.size === 0 ? [] : await oracle.unconfirmedHolds(eventId);
  return holds.filter(({ customer }) => customers.has(customer));
}

function isForTickets({ ask }: Exchange): boolean {
  return ask.operation === 'book' || ask.operation === 'hold';
}

// The events of a slice are new, and nobody resets them.
const FIRST_EPOCH = 1;

/** As one attempt what was asked for several times with one key: whichever was told that it has a booking stands for all. */
export function mergeRepeats(exchanges: readonly Exchange[]): Exchange[] {
  return [...Map.groupBy(exchanges, ({ customer }) => customer).values()].map(merged);
}

function merged(same: Exchange[]): Exchange {
  const [first] = same as [Exchange];
  const told = same.find(hasBooked) ?? same.find(isBooked) ?? same.find(isUnknown) ?? first;
  const isKeyed = first.ask.operation === 'book' && first.ask.key !== undefined;
  // Which of several of unknown end has booked is not known: none of them can be looked up for all.
  const hasManyIds = same.length > 1 && isUnknown(told);
  const answer = told.answer && {
    ...told.answer,
    ...(hasManyIds && { requestId: null }),
    // Also nginx repeats it, where a replica goes away: the booking of one replica is then told by another one.
    ...(isKeyed && !hasBooked(told) && { instanceIdInBody: null }),
  };
  const startedAtMs = Math.min(...same.map(({ startedAtMs }) => startedAtMs));
  return { ...told, answer, startedAtMs, ...(hasManyIds && { hasManyIds }) };
}

function isBooked({ answer }: Exchange): boolean {
  return answer?.code === 'booked';
}

/** The answer to a repeat names the replica that has booked, which need not be the one that answers. */
function hasBooked(exchange: Exchange): boolean {
  const { answer } = exchange;
  return isBooked(exchange) && answer?.instanceId === answer?.instanceIdInBody;
}

/** Whoever asked with one key was told of one booking. */
export function repeatsAnsweredAlike({ exchanges }: Pick<Sent, 'exchanges'>): CheckVerdict[] {
  const keyed = exchanges.filter(({ ask }) => ask.operation === 'book' && ask.key !== undefined);
  if (keyed.length === 0) return [];
  const different = [...Map.groupBy(keyed, ({ customer }) => customer)].filter(([, same]) => {
    const told = same.flatMap(({ answer }) => answer?.booking?.bookingId ?? []);
    return new Set(told).size > 1;
  });
  const check = 'repeats_answered_alike';
  if (different.length === 0) return [{ check, verdict: 'passed', detail: null }];
  const detail = `${count(different.length, 'key')} got several bookings${examples(different.map(([customer]) => customer))}`;
  return [{ check, verdict: 'failed', detail }];
}

/** The wave of one event: that all of them together are accounted for is a check of its own. */
function waveOf(attempts: Exchange[]): Wave {
  const answered = attempts.filter(({ answer }) => answer).length;
  return {
    attempts,
    strayAnswers: 0,
    client: { sent: attempts.length, answered, timedOut: 0 },
    neverAsked: 0,
  };
}

/** One that is up and was asked nothing has been left out; asked for only where one is missing. */
async function stillUp(answered: readonly string[], target: Target, replicas: number): Promise<string[]> {
  return answered.length >= replicas ? [...answered] : [...(await rollCall(target))];
}

type EventFindings = Pick<Judgement, 'wrong' | 'shown' | 'notShown' | 'checks'>;

/** One verdict for each check over all events of a slice. */
export function verdictsOf(
  events: readonly EventFindings[],
  { exempt }: Pick<Workload, 'exempt'>,
): CheckVerdict[] {
  const isJudged = (kind: FindingKind): boolean => !exempt.includes(kind);
  return CHECKS.map(({ name: check, findings, ...rest }): CheckVerdict => {
    const kinds = new Set<FindingKind>((Object.keys(findings) as FindingKind[]).filter(isJudged));
    const details = (list: 'wrong' | 'shown'): string[] =>
      events.flatMap((event) =>
        event[list].filter(({ kind }) => kinds.has(kind)).map(({ detail }) => detail),
      );
    const [wrong, shown] = [details('wrong'), details('shown')];
    if (wrong.length > 0) return { check, verdict: 'failed', detail: inOneSentence(wrong) };
    if (shown.length > 0) return { check, verdict: 'failed', detail: inOneSentence(shown), isExpected: true };
    const why = events.flatMap(({ checks }) =>
      checks.flatMap((result) =>
        result.check === check && result.verdict === 'not shown' ? result.details : [],
      ),
    );
    // What an essential check has not shown is a finding, from which a workload may be exempt.
    const isExempt = 'isEssential' in rest && !isJudged('contention_not_shown');
    if (why.length > 0 && !isExempt) {
      return { check, verdict: 'not shown', detail: inOneSentence(why) };
    }
    return { check, verdict: 'passed', detail: null };
  });
}

function inOneSentence([first = '', ...others]: readonly string[]): string {
  return others.length === 0 ? first : `${first}; and ${count(others.length, 'more finding')} like it`;
}
