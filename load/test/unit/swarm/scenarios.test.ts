import { expect, test } from 'vitest';

import type { Exchange } from '#src/generators/exchange.ts';
import type { Played } from '#src/swarm/play.ts';
import { conclusion, faultsOf, swarmTable } from '#src/swarm/report.ts';
import { buyersOf } from '#src/swarm/selling.ts';
import { judgeFromWithin } from '#src/swarm/within.ts';
import type { Oracle, Row } from '#src/truth.ts';

const plain = (_style: unknown, text: string) => text;

test('buyers want one event until all of them could have heard that it is sold out, and then the next', () => {
  const newBuyer = buyersOf(2, 2);
  const [ada, bob] = [newBuyer(), newBuyer()];
  const told = (buyer: typeof ada, code: string) => {
    const ask = buyer.next();
    buyer.told?.({ ask, answer: { code } } as unknown as Exchange);
    return ask.event;
  };
  const late = ada.next();
  expect([told(ada, 'booked'), told(bob, 'sold_out'), told(ada, 'busy'), told(ada, 'sold_out')]).toEqual([
    0, 0, 0, 0,
  ]);
  expect(ada.next().event).toBe(1);
  // An answer of the event before says nothing of this one; and after the last there is none.
  bob.told?.({ ask: late, answer: { code: 'sold_out' } } as unknown as Exchange);
  expect([told(ada, 'sold_out'), told(bob, 'sold_out'), told(bob, 'sold_out')]).toEqual([1, 1, 1]);
  expect(ada.next().event).toBe(1);
});

test('whoever was cut off has sold nothing that the database has not', async () => {
  const rows = [{ id: 'a' } as Row];
  const oracle = {
    read: (id: number) =>
      Promise.resolve({ epoch: 1, capacity: 9, available: 8, rows: id === 1 ? rows : [] }),
  } as unknown as Oracle;
  const judge = (booked: string[]) =>
    judgeFromWithin({ asked: 5, booked }, [{ eventId: 1 }, { eventId: 2 }], oracle);
  expect((await judge(['a'])).verdict).toBe('passed');
  expect((await judge([])).verdict).toBe('passed');
  expect(await judge(['a', 'b'])).toMatchObject({
    verdict: 'failed',
    detail: expect.stringMatching(/^1 bookings/),
  });
});

test('a run that failed in any way is told, and the rest are counted together', () => {
  const good = run({});
  const oversold = run({ verdict: 'failed', detail: '3 tickets too many' });
  const late = run({}, 'not 6 replicas after 240 s');
  expect(faultsOf(good)).toEqual([]);
  expect(conclusion([good], plain)).toMatch(/^PASS {2}1 run/);
  const lines = swarmTable([good, oversold, late], plain).split('\n');
  expect(lines[1]).toMatch(/^scale +BROKE 2 of 3 +3 +30 +27 +0 +3 \/ 3 +1\.5 s +2\.0 s +4\.0 s +-$/);
  expect(lines.slice(2)).toEqual([
    '    run 2: row-lock, oversold: 3 tickets too many',
    '    run 3: not 6 replicas after 240 s',
  ]);
  expect(conclusion([good, oversold, late], plain)).toBe('BROKE  2 of 3 runs: scale.');
});

function run(
  check: Partial<Played['guards'][number]['checks'][number]>,
  failure: string | null = null,
): Played {
  return {
    scenario: 'scale',
    wholeAfterMs: 4_000,
    failure,
    guards: [
      {
        strategy: 'row-lock',
        throughput: {
          perSecond: { before: 1, during: 1, after: 1 },
          withoutSaleMs: 2_000,
          firstSaleMs: 0,
          halfRateMs: 0,
        },
        requests: { started: 10, booked: 9, refused: 0, unknown: 1, settledAsBooked: 1 },
        failedForMs: 1_500,
        checks: [{ check: 'oversold', verdict: 'passed', detail: null, ...check }],
        operations: [],
      },
    ],
  };
}
