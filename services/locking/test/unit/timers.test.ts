import { expect, test } from 'vitest';

import { type Timer } from '#src/timers.ts';

import { createHandClock } from '../hand-clock.ts';

function timer(fire: () => void): Timer {
  return { atMs: 0, slot: -1, fire };
}

test('timers fire in the order of their times, whatever the order in which they were armed, moved and disarmed', async () => {
  const clock = createHandClock();
  const start = clock.now();
  const fired: number[] = [];
  const times = Array.from({ length: 500 }, (_, i) => (i * 7919) % 500);
  const timers = times.map((time) => timer(() => fired.push(time)));
  for (const [i, entry] of timers.entries()) clock.timers.arm(entry, start + 1_000 + (times[i] ?? 0));
  for (const [i, entry] of timers.entries()) {
    if (i % 3 === 0) clock.timers.disarm(entry);
    else clock.timers.arm(entry, start + 10 + (times[i] ?? 0));
  }
  await clock.pass(5_000);
  const kept = times.filter((_, i) => i % 3 !== 0).sort((a, b) => a - b);
  expect(fired).toEqual(kept);
  expect(clock.timers.size).toBe(0);
});

test('ten thousand timers share one time-out', () => {
  const clock = createHandClock();
  for (let i = 0; i < 10_000; i += 1)
    clock.timers.arm(
      timer(() => {}),
      clock.now() + 10_000 - i,
    );
  expect(clock.timers.size).toBe(10_000);
  expect(clock.timeouts()).toBe(1);
});

test('a timer that is armed while another one fires is not missed', async () => {
  const clock = createHandClock();
  const fired: string[] = [];
  const second = timer(() => fired.push('second'));
  clock.timers.arm(
    timer(() => {
      fired.push('first');
      clock.timers.arm(second, clock.now() + 5);
    }),
    clock.now() + 10,
  );
  await clock.pass(20);
  expect(fired).toEqual(['first', 'second']);
});

test('timers that are moved and disarmed at random fire when they should, and only then', async () => {
  const clock = createHandClock();
  // A small generator of its own, so that a failure can be repeated.
  let seed = 42;
  const random = (below: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return seed % below;
  };
  const wanted = new Map<Timer, number>();
  const timers = Array.from({ length: 300 }, () => {
    const entry = timer(() => {
      expect(wanted.get(entry)).toBeLessThanOrEqual(clock.now());
      wanted.delete(entry);
    });
    return entry;
  });
  for (let step = 0; step < 20_000; step += 1) {
    const entry = timers[random(timers.length)]!;
    if (random(3) === 0) {
      clock.timers.disarm(entry);
      wanted.delete(entry);
    } else {
      const atMs = clock.now() + 1 + random(1_000);
      clock.timers.arm(entry, atMs);
      wanted.set(entry, atMs);
    }
    if (random(20) === 0) {
      await clock.pass(random(30));
      for (const atMs of wanted.values()) expect(atMs).toBeGreaterThan(clock.now());
    }
    expect(clock.timers.size).toBe(wanted.size);
  }
});

test('what was disarmed is not kept', () => {
  const clock = createHandClock();
  const kept = Array.from({ length: 100 }, () => timer(() => {}));
  for (const entry of kept) clock.timers.arm(entry, clock.now() + 1_000);
  const cleared = Array.from({ length: 10_000 }, () => timer(() => {}));
  for (const entry of cleared) clock.timers.arm(entry, clock.now() + 500);
  for (const entry of cleared) clock.timers.disarm(entry);
  expect(clock.timers.size).toBe(100);
  expect(cleared.filter((entry) => entry.slot !== -1).length).toBeLessThanOrEqual(100);
});
