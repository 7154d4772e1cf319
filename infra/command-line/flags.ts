import { parseArgs, type ParseArgsConfig } from 'node:util';

import { nearest } from './did-you-mean.ts';
import { UsageError } from './usage-error.ts';

/** As `parseArgs` of Node; what it does not understand is one line that says what was meant, or what there is. */
export function parseFlags<T extends ParseArgsConfig>(config: T): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config);
  } catch (error) {
    const [reason = ''] = (error as Error).message.split(/\. |\n/);
    const names = Object.keys(config.options ?? {});
    const strange = /^Unknown option '--([^']*)'/.exec(reason)?.[1];
    const meant = strange === undefined ? null : nearest(strange, names);
    const hint =
      meant === null
        ? `the options are ${names.map((name) => `--${name}`).join(' ')}`
        : `did you mean --${meant}?`;
    throw new UsageError(`${reason}: ${hint}`, { cause: error });
  }
}

/** `--json` may stand alone, which parseArgs has no word for: then it means the standard output. */
export function withBareJson(argv: readonly string[]): string[] {
  return argv.map((arg) => (arg === '--json' ? '--json=-' : arg));
}

export interface NumberRange {
  min: number;
  max: number;
}

/** A mistake is said back the way it was `said`: as a flag, or as a variable of make. */
export function wholeNumber(said: string, value: string, { min, max }: NumberRange): number {
  const number = Number(value);
  if (/^\d+$/.test(value) && number >= min && number <= max) return number;
  throw new UsageError(`${said}: a whole number from ${min} to ${max}`);
}

export function variableOf(flag: string): string {
  return flag.toUpperCase().replaceAll('-', '_');
}

/** What make's `QUICK=1` and `QUICK=0` mean. */
export function isYes(value: string | undefined): boolean {
  return value !== undefined && !['', '0', 'false', 'no', 'off'].includes(value);
}
