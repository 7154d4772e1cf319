import { randomUUID } from 'node:crypto';

import type { Answer } from '#src/answer.ts';
import type { Attempt } from '#src/attempt.ts';
import { collectEvidence, type Evidence, type RunFacts } from '#src/checks/evidence.ts';
import { judge, type FindingKind, type Judgement } from '#src/checks/judge.ts';
import type { Wave } from '#src/crowd.ts';
import type { Operation } from '#src/history/operation.ts';
import { historyOf } from '#src/history/operations.ts';
import type { Row } from '#src/truth.ts';

/**
 * A run with which nothing is wrong: 40 buyers at once for 3 tickets (or more), on two replicas; whoever comes first
 * gets one. Each test spoils one thing of it.
 */
export interface HonestRun extends Omit<RunFacts, 'waves' | 'history'> {
  wave: Wave;
  attempts: Attempt[];
  rows: Row[];
}

const BUYERS = 40;

export function honestRun(tickets = 3): HonestRun {
  const crowd = {
    tickets,
    buyers: BUYERS,
    quantity: 1,
    connections: BUYERS,
    raceWindowMs: 50,
  };
  const attempts = Array.from({ length: BUYERS }, (_, index): Attempt => {
    const customer = `buyer-${index + 1}`;
    const answer = index < tickets ? bookedAnswer(customer, index) : soldOutAnswer(index);
    return { buyer: index + 1, number: 1, customer, startedAtMs: index / 10, answer };
  });
  const rows = attempts.slice(0, tickets).map((attempt, index) => rowOf(attempt, index + 1));
  return {
    crowd,
    terms: { sells: 'exactly', strategy: 'simple-lock', replicas: 2, maxUnknown: 0 },
    wave: {
      attempts,
      strayAnswers: 0,
      neverAsked: 0,
      client: { sent: BUYERS, answered: BUYERS, timedOut: 0 },
    },
    truth: { epoch: 4, capacity: tickets, available: 0, rows },
    event: { id: 1, epoch: 4 },
    runId: 'cafe0001',
    lookUps: new Map(),
    replicas: { up: ['replica-1', 'replica-2'], inPostgres: ['replica-1', 'replica-2'] },
    attempts,
    rows,
  };
}

export function evidenceOf({ wave, ...run }: HonestRun): Evidence {
  return collectEvidence({ ...run, waves: [wave], history: historyOfRun({ wave, ...run }) });
}

export function historyOfRun({ wave, crowd, event, terms, truth, lookUps }: HonestRun): Operation[] {
  return historyOf({
    sale: { event: event.id, strategy: terms.strategy, quantity: crowd.quantity },
    tickets: crowd.tickets,
    attempts: wave.attempts,
    truth,
    lookUps,
    isSettled: true,
    created: { startMs: -2, endMs: -1 },
    counted: { startMs: 1_000, endMs: 1_001 },
  });
}

export function judgementOf(run: HonestRun): Judgement {
  return judge(evidenceOf(run));
}

/** What the booking that this attempt was given looks like in Postgres. */
export function rowOf(attempt: Attempt, stockRevision: number): Row {
  const { bookingId, quantity, strategy, instanceId, fencingToken } = attempt.answer!.booking!;
  const { customer } = attempt;
  const { requestId } = attempt.answer!;
  const asked = { customer, quantity, strategy, instanceId, fencingToken };
  return { id: bookingId, ...asked, requestId, stockRevision };
}

export function findingsOf(run: HonestRun): FindingKind[] {
  return judgementOf(run).wrong.map(({ kind }) => kind);
}

export function soldOutAnswer(index: number): Answer {
  return answerOf(409, 'sold_out', index);
}

export function answerOf(status: number, code: Answer['code'], index: number): Answer {
  const instanceId = `replica-${(index % 2) + 1}`;
  return {
    receivedAtMs: 100 + index,
    status,
    code,
    instanceId,
    instanceIdInBody: instanceId,
    requestId: randomUUID(),
    count: { counter: instanceId, n: Math.floor(index / 2) + 1 },
    booking: null,
    retryAfterMs: null,
    serverTiming: null,
  };
}

export function bookedAnswer(customer: string, index: number): Answer {
  const answer = answerOf(201, 'booked', index);
  return {
    ...answer,
    booking: {
      bookingId: randomUUID(),
      eventId: 1,
      customer,
      quantity: 1,
      strategy: 'simple-lock',
      instanceId: answer.instanceId!,
      fencingToken: 1_000 + index,
    },
  };
}
