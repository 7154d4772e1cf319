import { count, thousands } from '@lastseat/lab-frame/words.ts';

import type { Books, GuardName } from './measurements.ts';

/** The answers that a guard gives under load: booked, sold out, busy or unavailable. */
const PROPER: ReadonlySet<string> = new Set(['201', '409', '503']);

/**
 * Why the books of a run do not balance, or null if they do. A run is believed only if every request was answered,
 * each answer was one that the service gives on purpose, and each 201 has its row and each row its 201.
 */
export function faultIn(guard: GuardName, books: Omit<Books, 'void'>): string | null {
  const { started, answered, statuses, rows, uncounted } = books;
  if (answered === 0) return 'nothing was answered';
  const improper = Object.entries(statuses).filter(([status]) => !PROPER.has(status));
  if (improper.length > 0) {
    return `answers that no guard gives: ${improper.map(([status, times]) => `${status} ${thousands(times)} times`).join(', ')}`;
  }
  // One lost request moves the latency of every later answer on its connection to the wrong request.
  if (started !== answered) {
    return `${count(started - answered, 'request')} of ${thousands(started)} lost without an answer`;
  }
  const booked = statuses['201'] ?? 0;
  if (rows !== null && rows !== booked) {
    return `${thousands(booked)} answered with 201, but ${count(rows, 'row')} in Postgres`;
  }
  if (guard !== 'no-lock' && uncounted !== 0) {
    return `rows and counter differ by ${count(Math.abs(uncounted), 'ticket')}`;
  }
  return null;
}
