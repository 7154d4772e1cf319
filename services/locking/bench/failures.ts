import { count } from '@lastseat/lab-frame/words.ts';

/** Waiters whose lock failed, and what the first of them was told. */
export interface Failures {
  failures: number;
  firstFailure: string | null;
}

export function whyFailed({ failures, firstFailure }: Failures): string | null {
  return failures > 0 ? `${count(failures, 'waiter')} failed: ${firstFailure ?? 'unknown'}` : null;
}
