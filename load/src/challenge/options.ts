import {
  helpText,
  json,
  names,
  readTable,
  text,
  UsageError,
  variablesOf,
  type JsonTarget,
} from '@lastseat/infra/command-line';

import { RUNTIME } from '../runtime-option.ts';
import { ATTACK_NAMES, ATTACKS } from './attacks/attacks.ts';

export interface Options {
  help: boolean;
  files: string[];
  attacks: string[];
  runtime: 'native' | 'docker' | undefined;
  json: JsonTarget;
}

export const TABLE = {
  strategy: text('FILE', { what: 'the file of the guard, or several by comma' }),
  only: names(ATTACK_NAMES, { what: 'these attacks (default: all)' }),
  runtime: RUNTIME,
  json: json('what was found'),
};

export const HELP = helpText({
  summary:
    'Attacks a guard of your own: one file, loaded into three replicas behind nginx on a stack that it starts for itself. ' +
    'Ends within two minutes with a verdict, and keeps the history that convicts it under .lastseat/runs. ' +
    'load/challenge/README.md leads from the race to a guard that holds.',
  examples: [
    ['make challenge STRATEGY=load/challenge/template.ts', 'where to begin: it is convicted'],
    ['make challenge STRATEGY=my-guard.ts ONLY=pause-holder', 'one attack, in twenty seconds'],
    ['make challenge STRATEGY=load/challenge/fence.ts', 'one that holds'],
  ],
  program: 'load/src/challenge/main.ts',
  table: TABLE,
  notes: `Attacks:
${ATTACKS.map(({ name, what }) => `  ${name}: ${what}`).join('\n')}

Exit code: 0 passed; 1 convicted, or the file is of no use (then nothing was started); 2 a wrong option; 3 not convicted, and one attack shows nothing; 130 interrupted.`,
});

export function readOptions(argv: readonly string[], env: NodeJS.ProcessEnv): Options {
  const given = readTable(TABLE, argv, env);
  const files = (given.strategy ?? '').split(',').flatMap((file) => file.trim() || []);
  if (files.length === 0 && !given.help) {
    throw new UsageError('which file? make challenge STRATEGY=load/challenge/template.ts');
  }
  return {
    help: given.help,
    files: [...new Set(files)],
    attacks: given.only ?? ATTACK_NAMES,
    runtime: given.runtime,
    json: given.json,
  };
}

/** Every variable that says something to this program. */
export const variables = (): string[] => variablesOf(TABLE);
