import { nearest } from './did-you-mean.ts';
import { isYes, parseFlags, variableOf, wholeNumber, withBareJson, type NumberRange } from './flags.ts';
import { jsonTarget, type JsonTarget } from './json-report.ts';
import { UsageError } from './usage-error.ts';
import { refuseUnknownVariables } from './variables.ts';
import { wrap } from './wrap.ts';

/**
 * The options of a program, each told once. From the table come what it reads, from flags and from the environment
 * (where make puts NAME=value), what it refuses, and what its help says:
 *
 *     const table = { buyers: number({ min: 1, max: 100, what: 'buyers' }), quick: yes({ what: 'once, in short' }) };
 *     const { buyers, quick } = readTable(table, process.argv.slice(2), process.env);
 *
 * A flag wins over a variable; an empty one says nothing, because make hands over what was not set as nothing.
 */
export type OptionTable = Record<string, Option<unknown>>;

export interface Option<T> {
  what: string;
  /** How the help calls its value; null for a flag that has none. */
  value: string | null;
  /** Where its variable is not the name of the flag in capitals; null if it has none. */
  variable: string | null | undefined;
  /** @param said how a value was given, for whoever complains: `--buyers x`, or `BUYERS=x` */
  read(text: string | undefined, said: (value: string) => string): T;
}

export type OptionValues<Table extends OptionTable> = {
  [Name in keyof Table]: ReturnType<Table[Name]['read']>;
};

const LIST = 'NAMES';
const NUMBERS = 'N,N';

interface About {
  what: string;
  variable?: string | null;
}

export function number(about: About & NumberRange): Option<number | undefined> {
  const what = `${about.what}; ${about.min} to ${about.max}`;
  return option({ ...about, what }, 'N', (text, said) => text && wholeNumber(said(text), text, about));
}

export function numbers(about: About & NumberRange): Option<number[] | undefined> {
  return option(
    about,
    NUMBERS,
    (text, said) => text && items(text, (item) => wholeNumber(said(item), item, about)),
  );
}

/** Some of the known names, by comma or with the flag repeated. */
export function names<Name extends string>(
  known: readonly Name[],
  { what, ...about }: About,
): Option<Name[] | undefined> {
  const all = { ...about, what: `${what}: ${known.join(', ')}` };
  const hint = `one or several of ${known.join(', ')}`;
  return option(all, LIST, (text, said) => text && items(text, (item) => oneOf(known, item, said, hint)));
}

/** One of the known names. */
export function name<Name extends string>(
  known: readonly Name[],
  { what, ...about }: About,
): Option<Name | undefined> {
  const all = { ...about, what: `${what}: ${known.join(' or ')}` };
  const hint = `must be ${known.slice(0, -1).join(', ')} or ${known.at(-1)}`;
  return option(all, 'NAME', (text, said) => text && oneOf(known, text, said, hint));
}

export function text(value: string, about: About): Option<string | undefined> {
  return option(about, value, (text) => text);
}

export function yes(about: About): Option<boolean> {
  return { ...option(about, '', isYes), value: null };
}

/** `--json` alone and JSON=1 mean the standard output. */
export function json(what: string): Option<JsonTarget> {
  return option({ what: `${what} into FILE, or without one (JSON=1) to stdout` }, '[=FILE]', jsonTarget);
}

function option<T>(
  { what, variable }: About,
  value: string,
  read: (text: string | undefined, said: (value: string) => string) => T | '',
): Option<T> {
  return { what, variable, value, read: (text, said) => read(text, said) as T };
}

function items<T>(text: string, read: (item: string) => T): T[] {
  return [...new Set(text.split(',').map((item) => read(item.trim())))];
}

function oneOf<Name extends string>(
  known: readonly Name[],
  item: string,
  said: (value: string) => string,
  hint: string,
): Name {
  const found = known.find((name) => name === item);
  if (found !== undefined) return found;
  const meant = nearest(item, known);
  throw new UsageError(`${said(item)}: ${meant === null ? hint : `did you mean ${meant}?`}`);
}

/** @throws UsageError of one line, for the first thing that is not understood */
export function readTable<Table extends OptionTable>(
  table: Table,
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
): OptionValues<Table> & { help: boolean } {
  return readWords(table, argv, env, false).values;
}

/**
 * The same of a program whose first word says what to do: `up --replicas 5`.
 * @returns the command with the values; null where none was said, or `help`
 */
export function readCommand<Command extends string, Table extends OptionTable>(
  commands: readonly Command[],
  table: Table,
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
): OptionValues<Table> & { help: boolean; command: Command | null } {
  const { values, words } = readWords(table, argv, env, true);
  const [word, ...rest] = words;
  if (rest.length > 0) throw new UsageError(`${rest.join(' ')}: one command at a time`);
  const isCommand = word !== undefined && word !== 'help';
  const hint = `must be one of ${commands.join(', ')}`;
  const command = isCommand ? oneOf(commands, word, String, hint) : null;
  return { ...values, command };
}

function readWords<Table extends OptionTable>(
  table: Table,
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
  allowPositionals: boolean,
): { values: OptionValues<Table> & { help: boolean }; words: string[] } {
  refuseUnknownVariables(env);
  const flags = Object.entries(table).map(([name, { value }]) => [
    name,
    value === null ? { type: 'boolean' as const } : { type: 'string' as const, multiple: true },
  ]);
  const options = { ...Object.fromEntries(flags), help: { type: 'boolean', short: 'h' } };
  const parsed = parseFlags({ args: withBareJson(argv), options, allowPositionals });
  const given = parsed.values as Record<string, string[] | boolean>;
  const values = Object.entries(table).map(([name, option]) => {
    const flag = flagText(given[name], option);
    const variable = variableOfOption(name, option);
    const text = flag ?? (variable === null ? undefined : env[variable]);
    const said = (value: string): string =>
      flag === undefined ? `${variable}=${value}` : `--${name} ${value}`;
    return [name, option.read(text === '' ? undefined : text, said)];
  });
  return {
    values: { ...(Object.fromEntries(values) as OptionValues<Table>), help: given['help'] === true },
    words: parsed.positionals,
  };
}

/** A list may be given in several flags; of anything else the last one counts. */
function flagText(flag: string[] | boolean | undefined, { value }: Option<unknown>): string | undefined {
  if (typeof flag === 'boolean') return flag ? '1' : undefined;
  return value === LIST || value === NUMBERS ? flag?.join(',') : flag?.at(-1);
}

function variableOfOption(name: string, { variable }: Option<unknown>): string | null {
  return variable === undefined ? variableOf(name) : variable;
}

/** Every variable that says something to a program with such a table. */
export function variablesOf(table: OptionTable): string[] {
  return Object.entries(table).flatMap(([name, option]) => variableOfOption(name, option) ?? []);
}

export interface HelpText {
  /** One sentence: what the program does. */
  summary: string;
  /** Command lines of make, each with what it does. */
  examples: readonly (readonly [line: string, what: string])[];
  /** Where it lies, for those who want flags: `load/src/main.ts`. */
  program: string;
  table: OptionTable;
  /** What is left to say, exit codes among it. */
  notes: string;
}

const WIDTH = 110;

export function helpText({ summary, examples, program, table, notes }: HelpText): string {
  const options = Object.entries({ ...table, help: yes({ what: 'this text', variable: null }) });
  return [
    ...wrap(summary, WIDTH),
    '',
    ...columns(examples),
    '',
    `Every option is a flag (node_modules/.bin/node ${program} --flag) or a variable of make (FLAG=value):`,
    '',
    ...columns(options.map(([name, option]) => [flagInWords(name, option), whatInWords(name, option)])),
    '',
    ...notes.split('\n').flatMap(indented),
  ].join('\n');
}

/** What is further to the right stays there, and what does not fit into its line goes on a little further. */
function indented(line: string): string[] {
  const [indent = ''] = /^ */.exec(line) ?? [];
  const hanging = indent === '' ? '' : `${indent}  `;
  return wrap(line.trimStart(), WIDTH - hanging.length).map(
    (part, index) => (index === 0 ? indent : hanging) + part,
  );
}

function flagInWords(name: string, { value }: Option<unknown>): string {
  if (value === null) return `--${name}`;
  return value.startsWith('[') ? `--${name}${value}` : `--${name} ${value}`;
}

function whatInWords(name: string, option: Option<unknown>): string {
  const { what, variable } = option;
  return typeof variable === 'string' && variable !== variableOf(name) ? `${what} (${variable})` : what;
}

function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.flatMap(([left, right]) =>
    wrap(right, WIDTH - width - 4).map(
      (line, index) => `  ${(index === 0 ? left : '').padEnd(width)}  ${line}`,
    ),
  );
}
