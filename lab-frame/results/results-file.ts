import { accessSync, appendFileSync, constants, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

import { UsageError } from '@lastseat/infra/command-line';

import type { BenchName, RecordedRun } from './recorded-run.ts';

/**
 * One line for each full run of a bench, never changed afterwards. A single run is no more than an example: what READMEs
 * claim has to hold in all of them.
 */
export function resultsFile(bench: BenchName): string {
  return fileURLToPath(new URL(`../../load/results/${bench}.jsonl`, import.meta.url));
}

/** @throws UsageError if no line can be added: better before the minutes of measuring than after them */
export function assertWritable(path: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    accessSync(existsSync(path) ? path : dirname(path), constants.W_OK);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new UsageError(
      `${relative(process.cwd(), path)} cannot be written (${code}), and a full run adds a line to it: ` +
        'make it writable, or measure less (QUICK=1)',
      { cause },
    );
  }
}

/** @returns what to say of it */
export function addRun(path: string, run: RecordedRun): string {
  appendFileSync(path, `${JSON.stringify(run)}\n`);
  return `Added to ${relative(process.cwd(), path)}; \`make figures\` brings the READMEs up to it.`;
}

/** Oldest first; none if there is no such file yet. */
export function readRuns(path: string): RecordedRun[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').split('\n').filter(Boolean);
  return lines.map((line) => JSON.parse(line) as RecordedRun);
}
