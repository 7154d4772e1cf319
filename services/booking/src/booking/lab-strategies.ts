import { registerHooks } from 'node:module';
import { pathToFileURL } from 'node:url';

import type { Redis } from 'ioredis';

import { ConfigError } from '#src/config.ts';
import { STRATEGY_NAMES } from '#src/contract.ts';

import type { Strategy, StrategyDeps } from './strategy.ts';

/**
 * Strategies of somebody else, loaded from files in lab mode: to be challenged, or to show what is wrong with them. They
 * get what ours are made of, are called as ours are, and stand in no registry.
 *
 *     import { type LabStrategyFactory } from '@lastseat/booking/strategy';
 *
 *     const myGuard: LabStrategyFactory = ({ db, instanceId }) => ({ name: 'my-guard', guarantee: 'always', book });
 *     export default myGuard;
 *
 * A file may lie anywhere: what it imports and cannot find from there is looked for from here.
 */
export type LabStrategyFactory = (deps: LabStrategyDeps) => LabStrategy;

/** A client of Redis too: whoever brings a lock of their own has to keep it somewhere. */
export type LabStrategyDeps = StrategyDeps & { redis: Redis };

/** As ours are; what only people read may be left out. */
export type LabStrategy = Pick<Strategy, 'name' | 'guarantee' | 'book'> & Partial<Strategy>;

/** A file, with what it exports: by itself or in a list. */
export interface LabStrategyFile {
  path: string;
  factories: readonly LabStrategyFactory[];
}

/** @throws ConfigError of one line, for the first file that is of no use */
export async function loadLabStrategies(paths: readonly string[]): Promise<LabStrategyFile[]> {
  if (paths.length > 0) registerHooks({ resolve: alsoFromHere });
  const files: LabStrategyFile[] = [];
  for (const path of paths) {
    const { default: exported } = await importFile(path);
    const factories = (Array.isArray(exported) ? exported : [exported]) as unknown[];
    if (exported === undefined) throw unusable(path, 'it has no default export: export default myGuard');
    if (factories.length === 0 || factories.some((factory) => typeof factory !== 'function')) {
      throw unusable(path, 'its default export is no function that makes a strategy, nor a list of them');
    }
    files.push({ path, factories: factories as LabStrategyFactory[] });
  }
  return files;
}

async function importFile(path: string): Promise<{ default?: unknown }> {
  try {
    return (await import(pathToFileURL(path).href)) as { default?: unknown };
  } catch (error) {
    throw unusable(path, `it cannot be loaded: ${firstLine(error)}`);
  }
}

type Resolve = NonNullable<Parameters<typeof registerHooks>[0]['resolve']>;

const alsoFromHere: Resolve = (specifier, context, nextResolve) => {
  try {
    return nextResolve(specifier, context);
  } catch (error) {
    const isOfPackage = /^[@\w]/.test(specifier) && !URL.canParse(specifier);
    if (!isOfPackage) throw error;
    try {
      return nextResolve(specifier, { ...context, parentURL: import.meta.url });
    } catch {
      throw error;
    }
  }
};

/**
 * Makes the strategies of the files.
 * @throws ConfigError of one line, for the first one that is none, or whose name is taken
 */
export function makeLabStrategies(files: readonly LabStrategyFile[], deps: LabStrategyDeps): Strategy[] {
  const taken = new Set<string>(STRATEGY_NAMES);
  return files.flatMap(({ path, factories }) =>
    factories.map((create) => {
      const strategy = make(path, create, deps);
      if (taken.has(strategy.name)) {
        throw unusable(path, `the name ${strategy.name} is taken: give it one of its own`);
      }
      taken.add(strategy.name);
      return strategy;
    }),
  );
}

function make(path: string, create: LabStrategyFactory, deps: LabStrategyDeps): Strategy {
  let made: Partial<LabStrategy> | null | undefined;
  try {
    made = create(deps);
  } catch (error) {
    throw unusable(path, `its function throws: ${firstLine(error)}`);
  }
  const problem = problemOf(made);
  if (problem !== null) throw unusable(path, problem);
  return { guardsWith: '', breaksWhen: '', costs: '', ...(made as LabStrategy) };
}

// It becomes a part of paths, and of a column in Postgres.
const NAME = /^[a-z][a-z\d-]{0,39}$/;
const GUARANTEES: readonly unknown[] = ['none', 'while-lease-held', 'always'];

function problemOf(made: Partial<LabStrategy> | null | undefined): string | null {
  if (typeof made !== 'object' || made === null)
    return 'its function returns no object with name, guarantee and book';
  if (made instanceof Promise) return 'its function returns a promise: make the strategy at once';
  const { name, guarantee, book } = made;
  if (typeof name !== 'string' || !NAME.test(name)) {
    return 'the name of its strategy must be a word such as my-guard: small letters, digits, hyphens, at most 40';
  }
  if (!GUARANTEES.includes(guarantee)) {
    return `the guarantee of ${name} must be one of ${GUARANTEES.join(', ')}`;
  }
  return typeof book === 'function'
    ? null
    : `book of ${name} must be a function: (request) => Promise<Outcome>`;
}

function unusable(path: string, problem: string): ConfigError {
  return new ConfigError([`${path}: ${problem}`]);
}

function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split('\n')[0] ?? text;
}
