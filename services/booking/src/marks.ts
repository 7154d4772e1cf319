import { AsyncLocalStorage } from 'node:async_hooks';

import type { FailpointStep } from '#src/contract.ts';

/**
 * When a booking waited, held the lock, read, wrote and committed: marks of one request, on the clock of the machine, so
 * that those of several replicas can be laid side by side. Made only in the lab, and only for a request that asks for
 * them: nobody else pays for more than a look whether somebody asked.
 *
 * They travel beside the call, not in its arguments: they observe a booking and must never be a reason why one guard
 * looks different from another.
 */
export interface Mark {
  name: MarkName;
  /** Milliseconds on the monotonic clock of the machine (CLOCK_MONOTONIC). */
  atMs: number;
  /** Of `holds` the fencing token, of `read` the tickets that it found free. */
  value?: number | undefined;
}

/** Most of them in pairs: it waits until it holds, reads until it has read, and so on. */
export type MarkName =
  | FailpointStep
  /** It is held between its read and its write (x-race-window-ms). */
  | 'decides';

/** What it returns is waited for: the request goes on after it. */
export type OnMark = (mark: Mark) => Promise<void> | undefined;

const requests = new AsyncLocalStorage<OnMark>();

/** Tells, if this request is marked, that it has come so far. Awaited: at a step of the lab's choice a fault may strike. */
export function mark(name: MarkName, value?: number): Promise<void> | undefined {
  return requests.getStore()?.({ name, atMs: onMachineClock(), value });
}

/** Runs `body` as a request that is marked; `onMark` hears of each mark at once, for who is killed never answers. */
export function withMarks<T>(onMark: OnMark, body: () => Promise<T>): Promise<T> {
  return requests.run(onMark, body);
}

/** As the `Server-Timing` header has it: the time is absolute, and the value its description. */
export function serverTimingOf(marks: readonly Mark[]): string {
  return marks
    .map(({ name, atMs, value }) => `${name};dur=${atMs}${value === undefined ? '' : `;desc="${value}"`}`)
    .join(', ');
}

function onMachineClock(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000;
}
