/** Waiters whose lock failed, and what the first of them was told. */
export interface Failures {
  failures: number;
  firstFailure: string | null;
}

export function whyFailed({ failures, firstFailure }: Failures): string | null {
  return failures > 0 ? `${failures} waiters failed: ${firstFailure ?? 'unknown'}` : null;
}
