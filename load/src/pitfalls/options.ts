import { helpText, json, names, readTable, variablesOf, type JsonTarget } from '@lastseat/infra/command-line';

import { RUNTIME } from '../runtime-option.ts';
import { PITFALL_NAMES, PITFALLS } from './pitfalls.ts';

export interface Options {
  help: boolean;
  pitfalls: string[];
  runtime: 'native' | 'docker' | undefined;
  json: JsonTarget;
}

export const TABLE = {
  only: names(PITFALL_NAMES, { what: 'these pitfalls (default: all)' }),
  runtime: RUNTIME,
  json: json('what was found'),
};

export const HELP = helpText({
  summary:
    'Plays what programs with a lock get wrong, each broken on purpose and beside it the right one, on a stack that it starts ' +
    'for itself: what Postgres holds afterwards as a table, and who did what when as lanes on a page. Ends within two minutes.',
  examples: [
    ['make pitfalls', 'all of them'],
    ['make pitfalls ONLY=foreign-release', 'one of them'],
  ],
  program: 'load/src/pitfalls/main.ts',
  table: TABLE,
  notes: `Pitfalls (their strategies are in load/pitfalls, a file each):
${PITFALLS.map(({ name, title }) => `  ${name}: ${title}`).join('\n')}

Exit code: 0 each broken one broke and each right one held; 1 one did not; 2 a wrong option; 130 interrupted.`,
});

export function readOptions(argv: readonly string[], env: NodeJS.ProcessEnv): Options {
  const given = readTable(TABLE, argv, env);
  return {
    help: given.help,
    pitfalls: given.only ?? PITFALL_NAMES,
    runtime: given.runtime,
    json: given.json,
  };
}

/** Every variable that says something to this program. */
export const variables = (): string[] => variablesOf(TABLE);
