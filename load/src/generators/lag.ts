import { createLatencyLog } from '@lastseat/lab-frame/latency.ts';

export interface LagMeter extends Disposable {
  lagMs(): { p50: number; p99: number; max: number };
}

const EVERY_MS = 10;

/** How late the timers of this process are: what it adds to every latency that it measures. */
export function measureLag(): LagMeter {
  const log = createLatencyLog();
  let dueMs = performance.now() + EVERY_MS;
  const timer = setInterval(() => {
    const now = performance.now();
    log.add(Math.max(0, now - dueMs));
    dueMs = now + EVERY_MS;
  }, EVERY_MS);
  timer.unref();
  return {
    lagMs: () => {
      const { p50 = 0, p99 = 0, max = 0 } = log.summary() ?? {};
      return { p50, p99, max };
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}
