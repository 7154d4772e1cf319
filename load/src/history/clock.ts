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

// Of so many readings one is not interrupted, however busy the machine is.
const READINGS = 50;

/**
 * What a time of the wall clock lacks to one of `performance.now()`, to the millisecond that the wall clock counts in. A
 * process that has to wait between its looks at the two clocks finds more, so the least of many readings is right.
 */
export function fromWallClockMs(): number {
  let least = Infinity;
  for (let reading = 0; reading < READINGS; reading += 1) {
    const wallMs = Date.now();
    least = Math.min(least, performance.now() - wallMs);
  }
  return least;
}

/** Microseconds: what the clocks are good for. */
function round(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}
