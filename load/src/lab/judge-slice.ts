import { count } from '@lastseat/lab-frame/words.ts';

import { collectEvidence } from '../checks/evidence.ts';
import { CHECKS, judge, type Finding } from '../checks/judge.ts';
import type { Exchange, Sent } from '../generators/exchange.ts';
import { lookUpUnknown } from '../look-up.ts';
import { rollCall, watchConnections } from '../replicas.ts';
import type { Cell, CheckVerdict, Generator, Slice } from '../runs/run.ts';
import { guardOf } from '../scenario.ts';
import { readSettled } from '../settle.ts';
import { names } from '../tally.ts';
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
  sent: Sent;
  generator: Generator;
}

/** The checks of every event of a slice, and of the generator, and whether any of it is to be believed. */
export async function judgeSlice(facts: SliceFacts): Promise<Pick<Slice, 'checks' | 'void'>> {
  const checks = [
    accountedFor(facts.sent),
    keptUp(facts.generator),
    ...(facts.cell.strategy === 'no-op' ? [] : await judgeEvents(facts)),
  ];
  const failed = checks.find(({ verdict, isExpected }) => verdict === 'failed' && !isExpected);
  const late = checks.find(({ check, verdict }) => check === KEPT_UP && verdict !== 'passed');
  // What sells what is not there has no throughput.
  const oversells = checks.find(({ isExpected }) => isExpected);
  return { checks, void: (failed ?? late ?? oversells)?.detail ?? null };
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

async function judgeEvents(facts: SliceFacts): Promise<CheckVerdict[]> {
  const { cell, workload, target, oracle, runId, eventIds, tickets } = facts;
  if (cell.strategy === 'no-op') return [];
  const guard = guardOf(cell.strategy);
  const exchanges = [...facts.before, ...facts.sent.exchanges];
  const answered = names(exchanges);
  await using witness = watchConnections(target, oracle);
  const up = await stillUp(answered, target, cell.replicas);
  const inPostgres = await witness.found(answered);
  const byEvent = Map.groupBy(
    exchanges.filter(({ ask }) => ask.operation === 'book'),
    ({ ask }) => ask.event,
  );
  const findings: EventFindings[] = [];
  for (const [index, eventId] of eventIds.entries()) {
    const attempts = byEvent.get(index) ?? [];
    const truth = await readSettled(oracle, eventId, attempts, 0);
    if (!truth) {
      findings.push({
        wrong: [{ kind: 'event_reset', detail: `event ${eventId} vanished` }],
        shown: [],
        notShown: [],
      });
      continue;
    }
    const noted = attempts.filter(({ answer }) => answer).length;
    const evidence = collectEvidence({
      crowd: {
        tickets: tickets[index] ?? 0,
        buyers: attempts.length,
        quantity: 1,
        connections: cell.connections,
        raceWindowMs: workload.raceWindowMs ?? 0,
      },
      terms: {
        sells: guard.sells,
        strategy: guard.strategy,
        replicas: cell.replicas,
        maxUnknown: 0,
        isBusyFine: true,
      },
      event: { id: eventId, epoch: truth.epoch },
      runId,
      replicas: { up, inPostgres },
      lookUps: await lookUpUnknown(target, attempts),
      waves: [
        {
          attempts,
          strayAnswers: 0,
          client: { sent: attempts.length, answered: noted, timedOut: 0 },
          neverAsked: 0,
        },
      ],
      truth,
    });
    const judgement = judge(evidence);
    // Where a race was seen, that nobody lacked a ticket does not matter.
    findings.push(judgement.shown.length > 0 ? { ...judgement, notShown: [] } : judgement);
  }
  return verdictsOf(findings, workload);
}

/** One that is up and was asked nothing has been left out; asked for only where one is missing. */
async function stillUp(answered: readonly string[], target: Target, replicas: number): Promise<string[]> {
  return answered.length >= replicas ? [...answered] : [...(await rollCall(target))];
}

interface EventFindings {
  wrong: readonly Finding[];
  shown: readonly Finding[];
  notShown: readonly Finding[];
}

/** One verdict for each check over all events of a slice. */
export function verdictsOf(
  events: readonly EventFindings[],
  { exempt }: Pick<Workload, 'exempt'>,
): CheckVerdict[] {
  const isJudged = (kind: Finding['kind']): boolean => !exempt.includes(kind);
  const kinds = [...(Object.keys(CHECKS) as Finding['kind'][]), 'contention_not_shown' as const].filter(
    isJudged,
  );
  return kinds.map((check): CheckVerdict => {
    const of = (list: 'wrong' | 'shown' | 'notShown') =>
      events.flatMap((event) => event[list]).filter(({ kind }) => kind === check);
    const [wrong, shown, notShown] = [of('wrong'), of('shown'), of('notShown')];
    if (wrong.length > 0) return { check, verdict: 'failed', detail: inOneSentence(wrong) };
    if (shown.length > 0) return { check, verdict: 'failed', detail: inOneSentence(shown), isExpected: true };
    if (notShown.length > 0) return { check, verdict: 'not shown', detail: inOneSentence(notShown) };
    return { check, verdict: 'passed', detail: null };
  });
}

function inOneSentence([first, ...others]: readonly Finding[]): string {
  const more = others.length === 0 ? '' : `; and the like of ${count(others.length, 'more event')}`;
  return `${first?.detail ?? ''}${more}`;
}
