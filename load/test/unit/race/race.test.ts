import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import { keepRace, readRaces } from '#src/race/keep-race.ts';
import { racePage } from '#src/race/race-page.ts';
import { endOfLane, momentsOf, overlaps, overwrites, readMarks, salesOf, spansOf } from '#src/race/race.ts';

import { guardedRace, unguardedRace } from './sample-race.ts';

describe('marks', () => {
  it('are read from Server-Timing', () => {
    expect(
      readMarks('arrived;dur=90411223.101, holds;dur=90411223.5;desc="1795473406572076", cache'),
    ).toEqual([
      { name: 'arrived', atMs: 90_411_223.101, value: null },
      { name: 'holds', atMs: 90_411_223.5, value: 1_795_473_406_572_076 },
    ]);
    expect(readMarks(null)).toEqual([]);
  });

  it('become spans; what was begun and never ended goes on to the end', () => {
    const [ada] = guardedRace().buyers;
    expect(spansOf(ada!, 40)).toEqual([
      { kind: 'waits', fromMs: 1, toMs: 2 },
      { kind: 'holds', fromMs: 2, toMs: 30 },
      { kind: 'reads', fromMs: 3, toMs: 4 },
      { kind: 'decides', fromMs: 4, toMs: 24 },
      { kind: 'writes', fromMs: 24, toMs: 30 },
    ]);
    const killed = { ...ada!, marks: ada!.marks.slice(0, 5) };
    expect(spansOf(killed, 40).map(({ kind, toMs }) => [kind, toMs])).toEqual([
      ['waits', 2],
      ['holds', 40],
      ['reads', 4],
    ]);
  });
});

describe('the lane of a buyer whose replica was killed', () => {
  const [ada] = guardedRace().buyers;
  const cutOff = { ...ada!, outcome: 'unknown', marks: ada!.marks.slice(0, 5), lostMs: 13 };
  const killed = { instance: 'booking-1', fromMs: 12, toMs: null, isKilled: true };

  it('ends where that was, not with the race', () => {
    expect(endOfLane(cutOff, { pauses: [killed] }, 40)).toEqual({ atMs: 12, isKilled: true });
    // One that is paused goes on: its lane ends where nginx gave it up.
    expect(endOfLane(cutOff, { pauses: [{ ...killed, isKilled: false }] }, 40)).toEqual({
      atMs: 13,
      isKilled: false,
    });
    expect(endOfLane(cutOff, { pauses: [{ ...killed, instance: 'booking-2' }] }, 40).isKilled).toBe(false);
    // It came only when the replica ran again.
    expect(endOfLane(cutOff, { pauses: [{ ...killed, fromMs: -5 }] }, 40).isKilled).toBe(false);
    expect(endOfLane(ada!, { pauses: [killed] }, 40)).toEqual({ atMs: 31, isKilled: false });
  });

  it('is drawn so', () => {
    const race = guardedRace();
    const page = racePage([{ ...race, buyers: [cutOff, race.buyers[1]!], pauses: [killed] }]);
    expect(page).toMatch(/data-span="holds"\s+data-from="2"\s+data-to="12"/);
    expect(page).toMatch(/class="killed"/);
    expect(page).toContain('✕ killed, unknown');
    expect(page).toMatch(/<title>booking-1 is killed, and down for 19 ms/);
  });
});

describe('a race', () => {
  it('without a guard shows bookings that overlap, and the write that lands on top of another', () => {
    const race = unguardedRace();
    expect(overlaps(race)).toBe(1);
    const [[second, first] = []] = overwrites(race);
    expect([second?.customer, first?.customer]).toEqual(['bob', 'ada']);
    expect(salesOf(race)).toEqual([26, 29]);
  });

  it('under a lock shows none, although a commit is told later than the next one reads', () => {
    expect(overlaps(guardedRace())).toBe(0);
    expect(overwrites(guardedRace()).size).toBe(0);
  });

  it('is told moment by moment', () => {
    const texts = momentsOf(guardedRace()).map(({ text }) => text);
    expect(texts.slice(0, 5)).toEqual([
      'ada arrives',
      'ada waits for the lock',
      'bob arrives',
      'ada holds the lock, token 41',
      'bob waits for the lock',
    ]);
    expect(texts.at(-1)).toBe('bob is answered: sold_out');
  });

  it('is kept and read again, the one without a guard first', () => {
    const folder = mkdtempSync(join(tmpdir(), 'lastseat-race-'));
    try {
      keepRace(folder, guardedRace());
      keepRace(folder, unguardedRace());
      expect(readRaces(folder)).toEqual([unguardedRace(), guardedRace()]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

it('the page of races needs nothing but itself, and says what is to be seen', () => {
  const page = racePage([unguardedRace(), guardedRace()]).replaceAll(/\s+/g, ' ');
  expect(page).not.toMatch(/(?:src|href)="(?!#|data:)/);
  expect(page).toContain('✗ OVERSOLD: 2 bookings for 1 ticket, and the counter says 0 left.');
  expect(page).toContain('✓ EXACT: 1 booking for 1 ticket, 0 left.');
  expect(page.match(/class="writes on-top"/g)).toHaveLength(1);
});
