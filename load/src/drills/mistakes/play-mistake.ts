import { execFile } from 'node:child_process';
import { join } from 'node:path';

import { UserError, VARIABLES } from '@lastseat/infra/command-line';

import { REPLICAS } from '../../faults/arena.ts';
import type { Cell } from '../cell.ts';
import { DRILLS } from '../drills.ts';
import { heldAtOnce } from '../loads.ts';
import { copyRepository } from './copy-repository.ts';
import type { Mistake } from './mistakes.ts';

/** What a drill has made of a mistake. */
export interface Found {
  mistake: string;
  drill: string;
  strategy: string;
  isFound: boolean;
  /** That it took, or that it was not found in. */
  strikes: number;
  /** The checks that it failed, and what the first of them says. */
  checks: string[];
  detail: string | null;
}

// Of a history that is told: some thousand operations.
const MOST_OUTPUT = 2 ** 26;

/** Plays the drill in a copy of the repository that has the mistake, until it is found, or has had so many strikes. */
export async function playMistake(
  { name, changes, drill, strategy }: Mistake,
  { strikes, seed }: { strikes: number; seed: number },
): Promise<Found> {
  await using copy = await copyRepository(name, changes);
  const flags = [
    `--name=${drill}`,
    `--strategy=${strategy}`,
    `--runs=${runsOf(drill, strikes)}`,
    `--seed=${seed}`,
    '--until-broken',
    '--runtime=native',
    '--json',
  ];
  const { stdout, stderr } = await run(join(copy.dir, 'load/src/drills/main.ts'), flags);
  const { cells } = parse(stdout) ?? {};
  const [cell] = cells ?? [];
  if (cell === undefined) throw new UserError(`${name}: the drill was not played: ${stderr.trim()}`);
  const failed = cell.checks.filter(({ verdict }) => verdict === 'failed');
  return {
    mistake: name,
    drill,
    strategy,
    isFound: cell.verdict === 'broke',
    strikes: cell.strikes,
    checks: failed.map(({ check }) => check),
    detail: failed[0]?.detail ?? null,
  };
}

/** Where bookings are held each of them that is struck counts as a run. */
function runsOf(drill: string, strikes: number): number {
  const holds = DRILLS.find(({ name }) => name === drill)?.holds ?? false;
  return holds ? strikes * Math.floor(heldAtOnce(1) / REPLICAS) : strikes;
}

/** Ctrl-C of a terminal reaches it too: it ends in order. */
function run(main: string, flags: readonly string[]): Promise<{ stdout: string; stderr: string }> {
  // What was said to this program is not said to that one.
  const others = Object.entries(process.env).filter(
    ([name]) => name !== 'MAKEFLAGS' && (name === 'LASTSEAT_HOME' || !VARIABLES.includes(name)),
  );
  const env = Object.fromEntries(others);
  return new Promise((resolve) => {
    // Its exit code says that it has found something: that is what it is for.
    execFile(process.execPath, [main, ...flags], { env, maxBuffer: MOST_OUTPUT }, (_, stdout, stderr) => {
      resolve({ stdout, stderr });
    });
  });
}

function parse(text: string): { cells: Cell[] } | undefined {
  try {
    return JSON.parse(text) as { cells: Cell[] };
  } catch {
    return undefined; // it said why on the other stream
  }
}
