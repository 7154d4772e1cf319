import { randomUUID } from 'node:crypto';

import { describe, expect, it } from 'vitest';

import { changedAfterwards } from '#src/checks/afterwards.ts';
import { CHECKS, type CheckedKind } from '#src/checks/judge.ts';

import {
  answerOf,
  bookedAnswer,
  findingsOf,
  honestRun,
  judgementOf,
  rowOf,
  soldOutAnswer,
  type HonestRun,
} from './honest-run.ts';

/** For each check, every way in which a run can deserve it, and the sentence that it then gets. */
const LIES: Record<CheckedKind, { lie: string; tell: (run: HonestRun) => void; detail: RegExp }[]> = {
  oversold: [
    {
      lie: 'a fourth buyer gets one of three tickets',
      tell: (run) => sell(run, 3),
      detail: /^4 tickets sold though there were only 3: 1 too many$/,
    },
    {
      lie: 'one order counts twice as many tickets as were asked for',
      tell: ({ rows }) => (rows[0]!.quantity = 2),
      detail: /^4 tickets sold though there were only 3/,
    },
  ],
  undersold: [
    {
      lie: 'the last ticket is kept though everybody wanted it',
      tell: (run) => takeBack(run, 2, soldOutAnswer(2)),
      detail: /^2 of 3 tickets sold: 1 left while 38 buyers were told sold_out$/,
    },
    {
      lie: 'buyers give up as busy while there is a ticket left',
      tell: (run) => {
        takeBack(run, 2, answerOf(503, 'busy', 2));
        for (const attempt of run.attempts.slice(3)) attempt.answer = answerOf(503, 'busy', attempt.buyer);
      },
      detail: /1 left while 38 buyers gave up as busy/,
    },
    {
      lie: 'a buyer is turned away though all others had theirs',
      tell: (run) => {
        keep(run, 2);
        takeBack(run, 1, soldOutAnswer(1));
      },
      detail: /1 of 3 tickets sold: 2 left while 1 buyer was told sold_out/,
    },
  ],
  counter_differs: [
    {
      lie: 'the counter forgets a sale',
      tell: ({ truth }) => (truth.available = 1),
      detail: /^the counter says 2 tickets sold, the booking rows say 3$/,
    },
  ],
  capacity_differs: [
    {
      lie: 'the event has more tickets than it was made with',
      tell: (run) => {
        run.truth.capacity = 4;
        run.truth.available = 0;
        sell(run, 3);
      },
      detail: /was to have 3 tickets, Postgres says 4/,
    },
  ],
  oversell_not_shown: [
    {
      lie: 'the unguarded route is guarded after all',
      tell: ({ terms }) => (terms.sells = 'too many'),
      detail: /nothing was oversold, though 40 connections raced through a window of 50 ms/,
    },
  ],
  booked_without_row: [
    {
      lie: 'a 201 is not written down',
      tell: ({ rows, truth }) => {
        rows.pop();
        truth.available = 1;
      },
      detail: /^1 buyer got a 201 for a booking that Postgres does not have \(buyer-3\)$/,
    },
    {
      lie: 'a 201 has no booking in it',
      tell: ({ attempts }) => (attempts[0]!.answer!.booking = null),
      detail: /got a 201 for a booking that Postgres does not have \(buyer-1\)/,
    },
  ],
  row_without_buyer: [
    {
      lie: 'a refused buyer has a booking',
      tell: ({ attempts }) => (attempts[0]!.answer = soldOutAnswer(0)),
      detail: /^1 booking in Postgres that nobody was given \(buyer-1 was told sold_out\)$/,
    },
    {
      lie: 'somebody books who is not in the crowd',
      tell: ({ rows }) => (rows[0]!.customer = 'stranger'),
      detail: /stranger is none of the buyers/,
    },
  ],
  booked_twice: [
    {
      lie: 'one request makes two bookings',
      tell: ({ rows }) => rows.push({ ...rows[0]!, id: randomUUID() }),
      detail: /^1 buyer asked for one booking and got several \(buyer-1 has 2\)$/,
    },
    {
      lie: 'a busy answer had booked, and the second attempt books again',
      tell: ({ attempts, rows, wave }) => {
        const retry = { ...attempts[0]!, number: 2, customer: 'buyer-1-try-2' };
        retry.answer = bookedAnswer(retry.customer, 1);
        attempts[0]!.answer = answerOf(503, 'busy', 0);
        attempts.push(retry);
        wave.client = { ...wave.client, sent: attempts.length, answered: attempts.length };
        rows.push({ ...rows[0]!, customer: retry.customer, id: retry.answer.booking!.bookingId });
      },
      detail: /\(buyer-1 has 2\)/,
    },
  ],
  same_booking_twice: [
    {
      lie: 'two buyers get the same booking id',
      tell: ({ attempts, rows }) => {
        attempts[1]!.answer!.booking!.bookingId = rows[0]!.id;
      },
      detail: /^1 booking id given to more than one buyer/,
    },
  ],
  row_differs: [
    {
      lie: 'the row names another instance than the answer',
      tell: ({ rows }) => (rows[0]!.instanceId = 'replica-9'),
      detail: /^1 booking in Postgres differs .* \(buyer-1: instance replica-1 became replica-9\)$/,
    },
    {
      lie: 'the row has another fencing token than the answer',
      tell: ({ rows }) => (rows[0]!.fencingToken = null),
      detail: /fencing token 1000 became null/,
    },
    {
      lie: 'a buyer gets the booking of another',
      tell: ({ attempts, rows }) => {
        const [first, second] = [attempts[0]!.answer!, attempts[1]!.answer!];
        [first.booking, second.booking] = [second.booking, first.booking];
        [rows[0]!.instanceId, rows[1]!.instanceId] = [rows[1]!.instanceId, rows[0]!.instanceId];
      },
      detail: /buyer-1: customer buyer-1 became buyer-2/,
    },
    {
      lie: 'a buyer gets fewer tickets than were asked for, and is told so',
      tell: ({ crowd }) => (crowd.quantity = 2),
      detail: /quantity 2 became 1/,
    },
    {
      lie: 'the row names another request',
      tell: ({ rows }) => (rows[0]!.requestId = null),
      detail: /buyer-1: request \S{36} became null/,
    },
    {
      lie: 'the answer names another event',
      tell: ({ attempts }) => (attempts[0]!.answer!.booking!.eventId = 2),
      detail: /buyer-1: event 1 became 2/,
    },
    {
      lie: 'the row has another quantity than the answer',
      tell: ({ attempts }) => (attempts[0]!.answer!.booking!.quantity = 2),
      detail: /quantity 2 became 1/,
    },
  ],
  strategy_differs: [
    {
      lie: 'the booking was made with another guard',
      tell: ({ terms }) => (terms.strategy = 'optimistic'),
      detail: /^3 bookings made with another guard than optimistic \(simple-lock\)$/,
    },
  ],
  ended_unknown: [
    {
      lie: 'a reply is dropped',
      tell: (run) => drop(run, 20),
      detail: /^1 of 40 requests ended unknown: 1 was cut off$/,
    },
    {
      lie: 'a request runs into the time-out',
      tell: (run) => {
        drop(run, 20);
        run.wave.client.timedOut = 1;
      },
      detail: /: 1 timed out$/,
    },
    {
      lie: 'the service does not know whether it booked',
      tell: ({ attempts }) => (attempts[20]!.answer = answerOf(500, 'unknown', 20)),
      detail: /: 1 was answered with unknown$/,
    },
    {
      lie: 'nginx answers in place of a replica',
      tell: ({ attempts }) => (attempts[20]!.answer = { ...answerOf(502, 'http_502', 20), instanceId: null }),
      detail: /: 1 was answered with http_502$/,
    },
  ],
  unaccounted: [
    {
      lie: 'the client sent a request that nobody noted',
      tell: ({ wave }) => (wave.client.sent += 1),
      detail: /40 requests noted but 41 sent/,
    },
    {
      lie: 'the client got an answer that nobody noted',
      tell: ({ wave }) => (wave.client.answered += 1),
      detail: /40 answers noted but 41 received/,
    },
    {
      lie: 'an answer comes that nobody waits for',
      tell: ({ wave }) => {
        wave.strayAnswers = 1;
        wave.client.answered += 1;
      },
      detail: /1 answer that no request was waiting for/,
    },
    {
      lie: 'some never got to ask',
      tell: ({ wave }) => (wave.neverAsked = 5),
      detail: /5 buyers never got to ask/,
    },
  ],
  received_more: [
    {
      lie: 'a request comes twice, and its twin books nothing',
      tell: ({ attempts }) => {
        for (const { answer } of attempts.slice(20)) answer!.count!.n += 1;
      },
      detail: /^2 booking requests more than the 40 of this run reached the replicas/,
    },
  ],
  unexpected_answer: [
    {
      lie: 'a request is refused as malformed',
      tell: ({ attempts }) => (attempts[20]!.answer = answerOf(400, 'http_400', 20)),
      detail: /^1 answer that a buyer should never get \(http_400\)$/,
    },
    {
      lie: 'the event is not found half of the time',
      tell: ({ attempts }) => {
        for (const index of [20, 21]) attempts[index]!.answer = answerOf(404, 'event_not_found', index);
      },
      detail: /^2 answers that a buyer should never get \(event_not_found 2 times\)$/,
    },
  ],
  instance_unnamed: [
    {
      lie: 'an answer does not name its instance',
      tell: ({ attempts }) => (attempts[20]!.answer!.instanceId = null),
      detail: /buyer-21: no x-instance-id on a 409/,
    },
    {
      lie: 'an answer names two instances',
      tell: ({ attempts }) => (attempts[20]!.answer!.instanceIdInBody = 'replica-9'),
      detail: /replica-1 in the header, replica-9 in the body/,
    },
  ],
  event_reset: [
    {
      lie: 'somebody starts the event over',
      tell: (run) => {
        run.truth.epoch += 1;
        run.rows.splice(0);
        run.truth.available = 3;
      },
      detail: /^event 1 was reset meanwhile, by another run or by hand/,
    },
  ],
  another_run: [
    {
      lie: 'a buyer of another run books on the same event',
      tell: ({ rows, attempts }) => {
        rows[0]!.customer = 'run-cafe0002-buyer-000001';
        attempts[0]!.answer = soldOutAnswer(0);
      },
      detail: /^1 booking of another run on event 1 \(run-cafe0002-buyer-000001\): let each run have/,
    },
  ],
  look_up_differs: [
    {
      lie: 'a lost booking is not found by its request',
      tell: (run) => {
        run.attempts[0]!.answer = answerOf(504, 'unknown', 0);
        run.lookUps = new Map([['buyer-1', null]]);
      },
      detail: /^1 request of unknown end looked up in vain \(buyer-1: \S{36} in Postgres, no booking by its/,
    },
  ],
  request_unnamed: [
    {
      lie: 'an unknown answer leaves nothing to look up',
      tell: ({ attempts }) => {
        attempts[20]!.answer = { ...answerOf(504, 'unknown', 20), requestId: null };
      },
      detail: /^1 answer without an x-request-id to look it up by \(buyer-21: a 504\)$/,
    },
  ],
  token_missing: [
    {
      lie: 'a booking under the lock has no token',
      tell: (run) => {
        underLock(run);
        run.rows[1]!.fencingToken = null;
      },
      detail: /^1 booking under fenced-lock has no fencing token or no stock revision \(buyer-2\)$/,
    },
    {
      lie: 'a booking hides its place in the order',
      tell: (run) => {
        underLock(run);
        run.rows[1]!.stockRevision = null;
      },
      detail: /\(buyer-2\)$/,
    },
  ],
  tokens_fall: [
    {
      lie: 'a late holder books after the one that followed it',
      tell: ({ rows }) => (rows[2]!.fencingToken = 1_000),
      detail: /^1 booking made under an older lease than the one before \(buyer-3: token 1000 after 1001\)$/,
    },
    {
      lie: 'two leases write one batch',
      tell: ({ rows }) => (rows[1]!.stockRevision = 1),
      detail: /buyer-2: token 1001 after 1000/,
    },
  ],
  refused_too_early: [
    {
      lie: 'a buyer is told sold_out before somebody asks who gets one',
      tell: ({ attempts }) => {
        attempts[10]!.answer!.receivedAtMs = 20;
        attempts[2]!.startedAtMs = 21;
      },
      detail:
        /^1 buyer was told sold_out while there were tickets left \(buyer-11\): buyer-3 asked after that/,
    },
  ],
  not_linearizable: [
    {
      lie: 'a buyer is told sold_out before those who got the tickets had asked',
      tell: ({ attempts }) => {
        attempts[10]!.answer!.receivedAtMs = 20;
        attempts[2]!.startedAtMs = 21;
      },
      detail:
        /^no order of the operations explains that buyer-11, who asked for 1 ticket, was told sold_out$/,
    },
    {
      lie: 'a ticket that was sold is free at the end',
      tell: ({ rows }) => rows.pop(),
      detail: /^no order of the operations explains what Postgres holds at the end, 1 free ticket$/,
    },
  ],
  never_sold_out: [
    {
      lie: 'everybody is told busy once it is sold out',
      tell: ({ attempts }) => {
        for (const attempt of attempts.slice(3)) attempt.answer = answerOf(503, 'busy', attempt.buyer);
      },
      detail: /^all 37 losers gave up as busy: nobody was told sold_out$/,
    },
  ],
  not_in_postgres: [
    {
      lie: 'one process answers under two names',
      tell: (run) => (run.replicas.inPostgres = ['replica-1']),
      detail: /^replica-2 answered 20 requests, but Postgres has no connection of that name/,
    },
  ],
  replica_left_out: [
    {
      lie: 'a replica is up and gets nothing to do',
      tell: (run) => (run.replicas.up = ['replica-1', 'replica-2', 'replica-3']),
      detail: /^replica-3 is up and answered nobody$/,
    },
  ],
  one_instance: [
    {
      lie: 'one replica does all the work',
      tell: ({ attempts, rows }) => {
        for (const { answer } of attempts) {
          Object.assign(answer!, { instanceId: 'replica-1', instanceIdInBody: 'replica-1' });
          if (answer!.booking) answer!.booking.instanceId = 'replica-1';
        }
        for (const row of rows) row.instanceId = 'replica-1';
      },
      detail: /^all 40 contenders were answered by 1 of 2 replicas \(replica-1\)/,
    },
  ],
  losers_on_one_instance: [
    {
      lie: 'one replica wins, the other loses',
      tell: ({ attempts, rows }) => {
        for (const { answer } of attempts) {
          const instanceId = answer!.booking ? 'replica-1' : 'replica-2';
          Object.assign(answer!, { instanceId, instanceIdInBody: instanceId });
          if (answer!.booking) answer!.booking.instanceId = instanceId;
        }
        for (const row of rows) row.instanceId = 'replica-1';
      },
      detail: /^all 37 losers of the contention met the same replica \(replica-2\)$/,
    },
  ],
};

const KINDS = CHECKS.flatMap(({ findings }) => Object.keys(findings) as CheckedKind[]);

describe.each(KINDS)('%s is found when', (kind) => {
  it.each(LIES[kind])('$lie', ({ tell, detail }) => {
    const run = honestRun();
    tell(run);
    const finding = judgementOf(run).wrong.find((finding) => finding.kind === kind);
    expect(finding?.detail).toMatch(detail);
  });
});

describe('an honest run', () => {
  it('has no findings', () => {
    expect(findingsOf(honestRun())).toEqual([]);
  });

  it('passes every check, and says of one why it has nothing to say', () => {
    const { checks } = judgementOf(honestRun());
    expect(checks.map(({ check }) => check)).toEqual(CHECKS.map(({ name }) => name));
    expect(checks.filter(({ verdict }) => verdict !== 'passed')).toMatchObject([
      {
        check: 'tokens-in-commit-order',
        verdict: 'not shown',
        details: ['simple-lock gives no fencing tokens'],
      },
    ]);
  });

  it('may leave tickets over when fewer were wanted', () => {
    const run = honestRun();
    keep(run, 2);
    expect(findingsOf(run)).toEqual([]);
  });

  it('may turn buyers away while less than one order is left', () => {
    const run = honestRun();
    run.crowd.quantity = 2;
    run.rows.splice(1);
    run.rows[0]!.quantity = 2;
    run.attempts[0]!.answer!.booking!.quantity = 2;
    run.truth.available = 1;
    for (const index of [1, 2]) run.attempts[index]!.answer = soldOutAnswer(index);
    expect(findingsOf(run)).toEqual([]);
  });

  it('may have lost the reply to a booking, within what was allowed', () => {
    const run = honestRun();
    run.terms.maxUnknown = 1;
    drop(run, 0);
    expect(findingsOf(run)).toEqual([]);
  });

  it('may have never told a buyer who asked several times with one key: no id of those requests stands for all', () => {
    const run = honestRun();
    run.terms.maxUnknown = 1;
    const answer = { ...answerOf(504, 'unknown', 20), requestId: null };
    Object.assign(run.attempts[20]!, { answer, hasManyIds: true });
    expect(findingsOf(run)).toEqual([]);
  });

  it('may have booked for a buyer who got the 502 of a proxy, within what was allowed', () => {
    const run = honestRun();
    run.terms.maxUnknown = 1;
    run.attempts[0]!.answer = { ...answerOf(502, 'http_502', 0), instanceId: null };
    expect(findingsOf(run)).toEqual([]);
  });

  it('may have lost a request on its way: who never asked wants nothing', () => {
    const run = honestRun();
    run.terms.maxUnknown = 1;
    keep(run, 3);
    takeBack(run, 2, null);
    run.wave.client.answered -= 1;
    expect(findingsOf(run)).toEqual([]);
  });

  it('may have one replica win and the other lose, where there is much to win', () => {
    const run = honestRun(15);
    LIES.losers_on_one_instance[0]!.tell(run);
    expect(findingsOf(run)).toEqual([]);
  });

  it('is not judged by its instances when hardly anybody contended', () => {
    const run = honestRun();
    LIES.one_instance[0]!.tell(run);
    keep(run, 19);
    run.replicas.up = ['replica-1'];
    expect(findingsOf(run)).toEqual([]);
  });
});

describe('a run that shows no contention', () => {
  it.each<[why: string, spoil: (run: HonestRun) => void, detail: RegExp]>([
    ['the buyers come one by one', ({ crowd }) => (crowd.connections = 1), /^the buyers came one by one/],
    ['there are few of them', (run) => keep(run, 19), /^only 19 buyers contended/],
    [
      'there is one replica',
      (run) => {
        LIES.one_instance[0]!.tell(run);
        run.terms.replicas = 1;
        run.replicas.up = ['replica-1'];
      },
      /^there is one replica only/,
    ],
    [
      'there are too many replicas for it',
      (run) => (run.replicas.up = ['replica-1', 'replica-2', 'a', 'b', 'c']),
      /^2 of 5 replicas took part: 40 requests are too few/,
    ],
  ])('is neither good nor wrong: %s', (_why, spoil, detail) => {
    const run = honestRun();
    spoil(run);
    const { good, wrong, notShown } = judgementOf(run);
    expect({ good, wrong }).toEqual({ good: false, wrong: [] });
    expect(notShown[0]?.detail).toMatch(detail);
  });
});

describe('a run of which an event was reset', () => {
  it('is wrong for that, and nothing else is said of it', () => {
    const run = honestRun();
    LIES.event_reset[0]!.tell(run);
    const verdicts = judgementOf(run).checks.map(({ check, verdict }) => [check, verdict]);
    expect(verdicts).toEqual(CHECKS.map(({ name }) => [name, name === 'epochs' ? 'failed' : 'not shown']));
  });
});

describe('the look after all runs', () => {
  it('finds nothing where nothing has changed, or where somebody has started the event over', () => {
    const { truth } = honestRun();
    expect(changedAfterwards(truth, { ...truth })).toBeNull();
    expect(changedAfterwards(truth, { ...truth, epoch: 5, rows: [], available: 3 })).toBeNull();
  });

  it('finds what was written, taken away or counted since', () => {
    const { truth, rows } = honestRun();
    const [first, ...others] = rows;
    expect(changedAfterwards(truth, { ...truth, rows: others, available: 1 })).toBe(
      '1 booking fewer than when the last buyer was answered (buyer-1), and the counter went from 0 to 1',
    );
    expect(changedAfterwards({ ...truth, rows: others }, { ...truth, rows: [first!, ...others] })).toBe(
      '1 booking more than when the last buyer was answered (buyer-1)',
    );
    expect(changedAfterwards(truth, null)).toBe('its event is gone from Postgres');
  });
});

describe('an unguarded run', () => {
  it('is good when it oversells, and the counter that hides it is part of the show', () => {
    const run = honestRun();
    run.terms.sells = 'too many';
    sell(run, 3);
    const { good, shown, checks } = judgementOf(run);
    expect(good).toBe(true);
    expect(shown.map(({ kind }) => kind)).toEqual(['oversold', 'counter_differs', 'not_linearizable']);
    const failed = checks.filter(({ verdict }) => verdict === 'failed');
    expect(failed.map(({ check, isExpected }) => [check, isExpected])).toEqual([
      ['oversold', true],
      ['counter-against-rows', true],
      ['linearizability', true],
    ]);
  });

  it('is still judged by everything else', () => {
    const run = honestRun();
    run.terms.sells = 'too many';
    sell(run, 3);
    drop(run, 20);
    expect(findingsOf(run)).toEqual(['ended_unknown']);
  });

  it.each([
    ['there is enough for everybody', { buyers: 3, connections: 3 }],
    ['the buyers come one by one', { connections: 1 }],
    ['there is no race window', { raceWindowMs: 0 }],
    ['nobody can buy anything', { quantity: 4 }],
  ])('need not oversell when %s', (_why, crowd) => {
    const run = honestRun();
    run.terms.sells = 'too many';
    Object.assign(run.crowd, crowd);
    expect(findingsOf(run)).not.toContain('oversell_not_shown');
  });
});

/** One ticket more to the buyer at this index, on every book but the counter. */
function sell(run: HonestRun, index: number): void {
  const attempt = run.attempts[index]!;
  attempt.answer = bookedAnswer(attempt.customer, index);
  run.rows.push(rowOf(attempt, index + 1));
}

/** The buyer at this index has no booking but this answer, and the counter knows. */
function takeBack(run: HonestRun, index: number, answer: HonestRun['attempts'][number]['answer']): void {
  const attempt = run.attempts[index]!;
  run.rows.splice(
    run.rows.findIndex((row) => row.customer === attempt.customer),
    1,
  );
  run.truth.available += 1;
  attempt.answer = answer;
}

/** The route that every booking of the run names. */
function underLock({ terms, attempts, rows }: HonestRun): void {
  terms.strategy = 'fenced-lock';
  for (const row of rows) row.strategy = 'fenced-lock';
  for (const { answer } of attempts) if (answer?.booking) answer.booking.strategy = 'fenced-lock';
}

/** As if only the first few had come. */
function keep(run: HonestRun, buyers: number): void {
  run.attempts.splice(buyers);
  run.rows.splice(Math.min(buyers, run.rows.length));
  run.truth.available = run.truth.capacity - run.rows.length;
  run.crowd.buyers = buyers;
  run.wave.client = { sent: buyers, answered: buyers, timedOut: 0 };
}

/** The answer to the request at this index is lost. */
function drop(run: HonestRun, index: number): void {
  run.attempts[index]!.answer = null;
  run.wave.client.answered -= 1;
}
