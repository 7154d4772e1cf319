import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { nearest, UsageError } from '@lastseat/infra/command-line';

import type { LabRun } from './run.ts';

/**
 * Where runs are kept: a folder for each, `<time>-<name>/` with `run.json` and whatever belongs to it, and a link
 * `latest` to the newest. Nothing deletes them but their owner.
 */
export function runsFolder(env: NodeJS.ProcessEnv): string {
  const repository = fileURLToPath(new URL('../../..', import.meta.url));
  return join(env['LASTSEAT_HOME'] || join(repository, '.lastseat'), 'runs');
}

const LATEST = 'latest';
const FILE = 'run.json';

/** A folder for a run that begins now. Two that begin in the same second do not share one. */
export function createRunFolder(runs: string, name: string, now: Date): string {
  mkdirSync(runs, { recursive: true });
  const time = `${now.toISOString().slice(0, 19).replaceAll(':', '-')}Z`;
  for (let attempt = 1; ; attempt += 1) {
    const folder = join(runs, attempt === 1 ? `${time}-${name}` : `${time}-${name}-${attempt}`);
    try {
      mkdirSync(folder);
      return folder;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

/** Whole or not at all: a reader, or a run that is killed meanwhile, never sees half of it. */
export function writeRun(folder: string, run: LabRun): void {
  const file = join(folder, FILE);
  writeFileSync(`${file}.part`, `${JSON.stringify(run, null, 1)}\n`);
  renameSync(`${file}.part`, file);
  pointTo(folder);
}

/** Replaced in one step, by a rename: `latest` is never missing. */
function pointTo(folder: string): void {
  const link = join(folder, '..', LATEST);
  const next = `${link}.${process.pid}`;
  rmSync(next, { force: true });
  symlinkSync(basename(folder), next);
  renameSync(next, link);
}

/** The names of all runs, the oldest first. A folder without a run.json is one that was killed before its first slice. */
export function listRuns(runs: string): string[] {
  if (!existsSync(runs)) return [];
  return readdirSync(runs)
    .filter((name) => name !== LATEST && existsSync(join(runs, name, FILE)))
    .toSorted();
}

export interface StoredRun {
  folder: string;
  run: LabRun;
}

/**
 * By the name of its folder, a beginning or an end of it that no other run has, or `latest`.
 * @throws UsageError of one line
 */
export function findRun(runs: string, said: string, wanted: string): StoredRun {
  const names = listRuns(runs);
  if (names.length === 0) throw new UsageError(`${said}: there is no run yet: make lab`);
  if (wanted === LATEST && existsSync(join(runs, LATEST, FILE))) return readRun(join(runs, LATEST));
  const exact = names.filter((name) => name === wanted);
  const found = exact.length > 0 ? exact : names.filter((name) => isPart(name, wanted));
  const [only, ...others] = found;
  if (only !== undefined && others.length === 0) return readRun(join(runs, only));
  if (only !== undefined)
    throw new UsageError(`${said}: ${found.length} runs are called so; make runs lists them`);
  const meant = nearest(wanted, names);
  throw new UsageError(
    `${said}: there is no such run; ${meant ? `did you mean ${meant}?` : 'make runs lists them'}`,
  );
}

function isPart(name: string, wanted: string): boolean {
  return wanted !== '' && (name.startsWith(wanted) || name.endsWith(wanted));
}

export function readRun(folder: string): StoredRun {
  const run = JSON.parse(readFileSync(join(folder, FILE), 'utf8')) as LabRun;
  if (run.format !== 'lastseat-run/1') {
    throw new UsageError(`${folder}: written by another version (${String(run.format)})`);
  }
  return { folder, run };
}
