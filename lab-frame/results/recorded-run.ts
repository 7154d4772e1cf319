import { execFileSync } from 'node:child_process';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';

import type { Figure } from '../figures/figure.ts';
import { median } from '../statistics.ts';

/**
 * One full run of a bench, as a line of its results file. The names are stable: new ones may join, none changes its
 * meaning without a new `format`. Nothing in it tells whose machine it was.
 */
export interface RecordedRun extends Circumstances {
  format: 'lastseat-results/1';
  bench: BenchName;
  runtime: string;
  /** Versions of the servers that took part. */
  servers: Record<string, string>;
  /** Measurements that could not be believed, and are part of nothing below. */
  void: number;
  figures: readonly Figure[];
  medians: Medians;
}

export type BenchName = 'guards' | 'locks';

/** What was measured besides the figures: a quantity with its unit, of whom, under which load. */
export type Medians = Record<string, Record<string, Record<string, number>>>;

/** When, of what and on what. */
export interface Circumstances {
  startedAt: string;
  /** Null where there is no git, or no checkout. */
  commit: string | null;
  /** Whether anything differed from that commit. */
  dirty: boolean | null;
  machine: {
    cores: number;
    memoryGb: number;
    cpu: string;
    platform: string;
    node: string;
  };
}

/** To be asked before the first measurement: files may change while it runs, and what runs is what there was before. */
export function circumstances(now = new Date()): Circumstances {
  // The lines that earlier runs have added are no change of what is measured.
  const changes = git('status', '--porcelain', '--', '.', ':(exclude)load/results');
  return {
    startedAt: now.toISOString(),
    commit: git('rev-parse', '--short=12', 'HEAD'),
    dirty: changes === null ? null : changes !== '',
    machine: machineFacts(),
  };
}

export function machineFacts(): Circumstances['machine'] {
  return {
    cores: availableParallelism(),
    memoryGb: Math.round(totalmem() / 2 ** 30),
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    platform: `${process.platform} ${process.arch}`,
    node: process.version,
  };
}

const root = fileURLToPath(new URL('../..', import.meta.url));
const GIT_TIMEOUT_MS = 10_000;

function git(...args: string[]): string | null {
  try {
    return execFileSync('git', args, {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: GIT_TIMEOUT_MS,
    }).trim();
  } catch {
    return null;
  }
}

export interface Quantity {
  what: string;
  of: string;
  at: string;
  value: number | null | undefined;
}

/** The median of all values of each quantity; a value that there is not (null, NaN) has no say. */
export function mediansOf(quantities: readonly Quantity[]): Medians {
  const medians: Medians = {};
  const groups = Map.groupBy(quantities, ({ what, of, at }) => JSON.stringify([what, of, at]));
  for (const [key, group] of groups) {
    const [what, of, at] = JSON.parse(key) as [string, string, string];
    const values = group.flatMap(({ value }) =>
      value === null || value === undefined || Number.isNaN(value) ? [] : [value],
    );
    const middle = median(values);
    if (middle === null) continue;
    medians[what] ??= {};
    medians[what][of] ??= {};
    medians[what][of][at] = Number(middle.toPrecision(4));
  }
  return medians;
}
