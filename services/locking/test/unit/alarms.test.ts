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
