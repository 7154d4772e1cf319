/** A first retry after some 50 ms, then ever rarer: often enough for a hiccup, cheap in a long outage. */
const delaysMs = { first: 50, longest: 1_000 };

/** Half of it fixed, half of it random: what failed together comes back spread out. */
export function retryDelayMs(failures: number, longestMs: number = delaysMs.longest): number {
  const delayMs = Math.min(delaysMs.first * 2 ** Math.min(failures, 16), longestMs);
  return delayMs / 2 + (Math.random() * delayMs) / 2;
}
