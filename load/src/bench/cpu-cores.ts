import type { BenchStack } from './stack/start-stack.ts';

type Part = keyof NonNullable<ReturnType<BenchStack['cpuSeconds']>> | 'harness';

export interface CpuReading {
  atMs: number;
  seconds: Record<Part, number> | null;
}

/** @param generatorS what processes of the harness besides this one have used */
export function readCpu(stack: BenchStack, generatorS = 0): CpuReading {
  const { user, system } = process.cpuUsage();
  const parts = stack.cpuSeconds();
  const harness = generatorS + (user + system) / 1_000_000;
  return { atMs: performance.now(), seconds: parts && { ...parts, harness } };
}

/** CPU seconds used per second between the first two readings; null where they cannot be read. */
export function coresBetween([opened, closed]: readonly CpuReading[]): Record<Part, number> | null {
  if (!opened?.seconds || !closed?.seconds) return null;
  const { seconds: before } = opened;
  const elapsedS = (closed.atMs - opened.atMs) / 1_000;
  const cores = Object.entries(closed.seconds).map(([part, after]) => [
    part,
    Math.round(((after - before[part as Part]) / elapsedS) * 100) / 100,
  ]);
  return Object.fromEntries(cores) as Record<Part, number>;
}
