import { expect, test } from 'vitest';

import { type Alarm } from '#src/alarms.ts';

import { createHandClock } from '../hand-clock.ts';

function alarm(ring: () => void): Alarm {
  return { atMs: 0, slot: -1, ring };
}

test('alarms ring in the order of their times, whatever the order they were set, moved and cleared in', async () => {
  const clock = createHandClock();
  const start = clock.now();
  const rung: number[] = [];
  const times = Array.from({ length: 500 }, (_, i) => (i * 7919) % 500);
  const alarms = times.map((time) => alarm(() => rung.push(time)));
  for (const [i, entry] of alarms.entries()) clock.alarms.set(entry, start + 1_000 + (times[i] ?? 0));
  for (const [i, entry] of alarms.entries()) {
    if (i % 3 === 0) clock.alarms.clear(entry);
    else clock.alarms.set(entry, start + 10 + (times[i] ?? 0));
  }
  await clock.pass(5_000);
  const kept = times.filter((_, i) => i % 3 !== 0).sort((a, b) => a - b);
  expect(rung).toEqual(kept);
  expect(clock.alarms.size).toBe(0);
});

test('ten thousand alarms share one timer', () => {
  const clock = createHandClock();
  for (let i = 0; i < 10_000; i += 1)
    clock.alarms.set(
      alarm(() => {}),
      clock.now() + 10_000 - i,
    );
  expect(clock.alarms.size).toBe(10_000);
  expect(clock.timers()).toBe(1);
});

test('an alarm set while another rings is not missed', async () => {
  const clock = createHandClock();
  const rung: string[] = [];
  const second = alarm(() => rung.push('second'));
  clock.alarms.set(
    alarm(() => {
      rung.push('first');
      clock.alarms.set(second, clock.now() + 5);
    }),
    clock.now() + 10,
  );
  await clock.pass(20);
  expect(rung).toEqual(['first', 'second']);
});

test('alarms that are moved and cleared at random ring when they should, and only then', async () => {
  const clock = createHandClock();
  // A small generator of its own, so that a failure can be repeated.
  let seed = 42;
  const random = (below: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return seed % below;
  };
  const wanted = new Map<Alarm, number>();
  const alarms = Array.from({ length: 300 }, () => {
    const entry = alarm(() => {
      expect(wanted.get(entry)).toBeLessThanOrEqual(clock.now());
      wanted.delete(entry);
    });
    return entry;
  });
  for (let step = 0; step < 20_000; step += 1) {
    const entry = alarms[random(alarms.length)]!;
    if (random(3) === 0) {
      clock.alarms.clear(entry);
      wanted.delete(entry);
    } else {
      const atMs = clock.now() + 1 + random(1_000);
      clock.alarms.set(entry, atMs);
      wanted.set(entry, atMs);
    }
    if (random(20) === 0) {
      await clock.pass(random(30));
      for (const atMs of wanted.values()) expect(atMs).toBeGreaterThan(clock.now());
    }
    expect(clock.alarms.size).toBe(wanted.size);
  }
});

test('what was cleared is not kept', () => {
  const clock = createHandClock();
  const kept = Array.from({ length: 100 }, () => alarm(() => {}));
  for (const entry of kept) clock.alarms.set(entry, clock.now() + 1_000);
  const cleared = Array.from({ length: 10_000 }, () => alarm(() => {}));
  for (const entry of cleared) clock.alarms.set(entry, clock.now() + 500);
  for (const entry of cleared) clock.alarms.clear(entry);
  expect(clock.alarms.size).toBe(100);
  expect(cleared.filter((entry) => entry.slot !== -1).length).toBeLessThanOrEqual(100);
});
