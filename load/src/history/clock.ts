// `performance.now()` counts from the start of this process; `hrtime` is the machine's, and other processes read it too.
const PROCESS_START_MS = Number(process.hrtime.bigint()) / 1e6 - performance.now();

/** A time of `performance.now()` on the monotonic clock of the machine. */
export function onMachineClock(atMs: number): number {
  return round(PROCESS_START_MS + atMs);
}

/** A time of `performance.now()` on the wall clock, as that stands now: somebody may have set it since the start. */
export function onWallClock(atMs: number): number {
  return round(Date.now() - performance.now() + atMs);
}

/** Microseconds: what the clocks are good for. */
function round(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}
