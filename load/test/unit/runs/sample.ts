import type { Cell, CheckVerdict, LabRun, Slice } from '#src/runs/run.ts';

/** One cell of a run: so many bookings a second in each slice, all of them waiting so long. */
export function cellOf(
  rates: readonly number[],
  changes: Partial<Cell> & { p99?: number; checks?: CheckVerdict[] } = {},
): Cell {
  const { p99 = 10, checks = [], ...cell } = changes;
  return {
    workload: 'rush',
    strategy: 'row-lock',
    replicas: 2,
    connections: 64,
    sells: 'exactly',
    slices: rates.map((booked, index) => sliceOf(index + 1, booked, p99, checks)),
    ...cell,
  };
}

function sliceOf(slice: number, booked: number, p99: number, checks: CheckVerdict[]): Slice {
  const latency = { count: booked, p50: p99 / 2, p90: p99, p99, p999: p99, max: p99, hdr: '' };
  return {
    slice,
    startedAt: '2026-11-28T10:00:00.000Z',
    eventIds: [1],
    requests: { started: booked, answered: booked, unknown: 0 },
    windowMs: 1_000,
    answers: { booked },
    perSecond: { booked },
    latency: { booked: latency },
    generator: { loop: 'closed', offeredPerS: null, achievedPerS: null, lagMs: { p50: 1, p99: 2, max: 3 } },
    cpuCores: null,
    checks,
    void: checks.find(({ verdict }) => verdict === 'failed')?.detail ?? null,
    history: null,
  };
}

export function runOf(cells: Cell[]): LabRun {
  return {
    format: 'lastseat-run/1',
    id: '2026-11-28T10-00-00Z-lab',
    name: 'lab',
    command: 'make lab',
    circumstances: {
      startedAt: '2026-11-28T10:00:00.000Z',
      commit: 'abcdef123456',
      dirty: false,
      machine: { cores: 2, memoryGb: 4, cpu: 'a processor', platform: 'linux x64', node: 'v26.0.0' },
    },
    endedAt: '2026-11-28T10:05:00.000Z',
    isComplete: true,
    settings: {
      workload: 'rush',
      replicas: [...new Set(cells.map(({ replicas }) => replicas))],
      strategies: [...new Set(cells.map(({ strategy }) => strategy))],
      connections: [...new Set(cells.map(({ connections }) => connections))],
      tickets: null,
      buyers: null,
      slices: 6,
      warmUpMs: 400,
      windowMs: 1_000,
    },
    runtime: 'native',
    servers: { postgres: '18.1' },
    limits: {},
    cells,
  };
}
