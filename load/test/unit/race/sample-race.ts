import type { Race, RaceBuyer, RaceMark } from '#src/race/race.ts';

/** Two buyers on two replicas for one ticket, without a guard: both read 1, both write. */
export function unguardedRace(): Race {
  return raceOf('no-lock', [
    buyerOf(
      'ada',
      'booking-1',
      'booked',
      'arrived 0, reads 1, read 2 =1, writes 22, written 23, commits 24, committed 26, answered 27',
    ),
    buyerOf(
      'bob',
      'booking-2',
      'booked',
      'arrived 1, reads 2, read 4 =1, writes 25, written 26, commits 27, committed 29, answered 30',
    ),
    buyerOf('eve', 'booking-2', 'sold_out', 'arrived 2, reads 35, read 36 =0, answered 37'),
  ]);
}

/** The same under a lock: one after the other, and each commit is told a little after the next has read. */
export function guardedRace(): Race {
  return raceOf('fenced-lock', [
    buyerOf(
      'ada',
      'booking-1',
      'booked',
      'arrived 0, waits 1, holds 2 =41, reads 3, read 4 =1, writes 24, written 25, commits 26, committed 30, released 30, answered 31',
    ),
    buyerOf(
      'bob',
      'booking-2',
      'sold_out',
      'arrived 1, waits 2, holds 28 =42, reads 28, read 29 =0, released 30, answered 31',
    ),
  ]);
}

/** As many as the lab records, each with every mark that there is, to the microsecond. */
export function crowdedRace(): Race {
  const buyers = Array.from({ length: 9 }, (_, index) => {
    const marks = MARKS.map((mark, step) => mark.replace('@', String(100 + 30 * index + step + 0.123)));
    return buyerOf(`ada ${index + 1}`, `booking-${1 + (index % 3)}`, 'booked', marks.join(', '));
  });
  return raceOf('fenced-lock', buyers);
}

const MARKS = [
  'arrived @',
  'waits @',
  'holds @ =1795961903493506',
  'reads @',
  'read @ =1',
  'decides @',
  'writes @',
  'written @',
  'commits @',
  'committed @',
  'released @',
  'answered @',
];

function raceOf(strategy: string, buyers: RaceBuyer[]): Race {
  return {
    format: 'lastseat-race/1',
    strategy,
    event: 7,
    tickets: 1,
    raceWindowMs: 20,
    rows: buyers.filter(({ outcome }) => outcome === 'booked').length,
    available: 0,
    startedAt: '2026-11-28T22:40:12.000Z',
    command: `make race STRATEGY=${strategy}`,
    buyers,
  };
}

function buyerOf(customer: string, instance: string, outcome: string, marks: string): RaceBuyer {
  const all = marks.split(', ').map((text): RaceMark => {
    const [name = '', atMs, value] = text.split(/ =?/);
    return { name, atMs: Number(atMs), value: value === undefined ? null : Number(value) };
  });
  return {
    customer,
    instance,
    outcome,
    token: all.find(({ name }) => name === 'holds')?.value ?? null,
    marks: all,
  };
}
