/** A first retry after some 50 ms, then ever more rarely: soon enough after a short pause, cheap in a long outage. */
const defaults = { firstMs: 50, longestMs: 1_000 };

/**
 * The one back-off of this package: doubled with each failure. Half of it is fixed and half of it random, so that what
 * failed together comes back spread out.
 */
export function retryDelayMs(
  failures: number,
  { firstMs = defaults.firstMs, longestMs = defaults.longestMs } = {},
): number {
  const delayMs = Math.min(firstMs * 2 ** Math.min(failures, 16), longestMs);
  return delayMs / 2 + (Math.random() * delayMs) / 2;
}
