import { randomNumbers } from '@lastseat/lab-frame/random.ts';
import { describe, expect, it } from 'vitest';

import type { Ask, Exchange } from '#src/generators/exchange.ts';
import { WORKLOADS, workloadOf } from '#src/workloads/workloads.ts';
import { zipf } from '#src/workloads/zipf.ts';

const nobodySaid = { tickets: null, buyers: null, connections: 64 };

describe.each(WORKLOADS.map((workload) => [workload.name, workload] as const))('%s', (_name, workload) => {
  it('asks the same of every guard: its clients depend on nothing but their numbers', () => {
    const [one, other] = [asksOf(100), asksOf(100)];
    expect(one).toEqual(other);
    const events = workload.tickets(nobodySaid).length;
    for (const { event } of one) expect(event).toBeLessThan(events);
  });

  it('has as many tickets and buyers as were asked for', () => {
    const wishes = { tickets: 7, buyers: 300, connections: 8 };
    expect(new Set(workload.tickets(wishes))).toEqual(new Set([7]));
    expect(workload.requests(wishes)).toBe(300);
  });

  function asksOf(times: number): Ask[] {
    const client = workload.client(randomNumbers(3), workload.tickets(nobodySaid).length, 3);
    return Array.from({ length: times }, () => client.next());
  }
});

it('a storm cancels what it has booked, each booking once', () => {
  const client = workloadOf('storm').client(randomNumbers(5), 4, 1);
  const booked: string[] = [];
  const cancelled: string[] = [];
  const seen = new Set<string>();
  for (let index = 0; index < 1_000; index += 1) {
    const ask = client.next();
    seen.add(ask.operation);
    if (ask.operation === 'cancel') cancelled.push(ask.bookingId);
    if (ask.operation !== 'book') continue;
    const bookingId = `booking-${index}`;
    booked.push(bookingId);
    client.told?.({ ask, answer: { booking: { bookingId } } } as Exchange);
  }
  expect([...seen].toSorted()).toEqual(['book', 'cancel', 'read']);
  expect(cancelled.length).toBeGreaterThan(100);
  expect(new Set(cancelled).size).toBe(cancelled.length);
  expect(cancelled.every((id) => booked.includes(id))).toBe(true);
});

it('the workload of holds confirms some of them, once each, lets others end, and cancels what was sold', () => {
  const client = workloadOf('holds').client(randomNumbers(5), 4, 1);
  const held = new Set<string>();
  const confirmed = new Set<string>();
  const seen = new Set<string>();
  for (let index = 0; index < 2_000; index += 1) {
    const ask = client.next();
    seen.add(ask.operation);
    if (ask.operation === 'confirm') {
      expect(held.has(ask.bookingId) && !confirmed.has(ask.bookingId)).toBe(true);
      confirmed.add(ask.bookingId);
    }
    if (ask.operation === 'cancel') expect(held.has(ask.bookingId)).toBe(confirmed.has(ask.bookingId));
    const bookingId = `${ask.operation}-${index}`;
    if (ask.operation === 'hold') held.add(bookingId);
    const isNew = ask.operation === 'book' || ask.operation === 'hold';
    const answer = { status: 200, booking: isNew ? { bookingId } : null };
    client.told?.({ ask, answer } as Exchange);
  }
  expect([...seen].toSorted()).toEqual(['book', 'cancel', 'confirm', 'hold', 'read']);
  expect(confirmed.size).toBeGreaterThan(200);
  expect(held.size - confirmed.size).toBeGreaterThan(100);
});

it('of a thousand things the second is half as popular as the first', () => {
  const pick = zipf(1_000);
  const random = randomNumbers(1);
  const times = Array.from({ length: 1_000 }, () => 0);
  for (let index = 0; index < 100_000; index += 1) times[pick(random())]! += 1;
  expect(times[0]! / times[1]!).toBeCloseTo(2, 0);
  expect(times[0]! / times[9]!).toBeGreaterThan(8);
  expect(times.reduce((sum, count) => sum + count, 0)).toBe(100_000);
  expect([pick(0), pick(0.999_999_9)]).toEqual([0, 999]);
});
