import { helpText, number, readTable, variablesOf } from '@lastseat/infra/command-line';

// Beside nginx's 8080, above what a system has for its own services.
const DEFAULT_PORT = 8_090;

export const TABLE = {
  port: number({
    min: 1,
    max: 65_535,
    what: `where the page is, on 127.0.0.1 (default: ${DEFAULT_PORT})`,
    // PORT is that of nginx: `make up console PORT=8081`.
    variable: 'CONSOLE_PORT',
  }),
};

export const HELP = helpText({
  summary:
    'A page on this machine on which the stack that is up can be watched while it sells, and struck: pause, kill, start and add replicas, flush and pause Redis, pause Postgres. The verdict is counted in Postgres.',
  examples: [
    ['make up console', 'start the stack, then the page'],
    ['make console CONSOLE_PORT=8091', 'somewhere else'],
  ],
  program: 'load/src/console/main.ts',
  table: TABLE,
  notes:
    'Ctrl-C ends it and resumes what was paused with it.\nExit code: 0 ended by Ctrl-C; 1 nothing is running, it is not in lab mode, or the port is taken; 2 a wrong option.',
});

export interface Options {
  help: boolean;
  port: number;
}

export function readOptions(argv: readonly string[], env: NodeJS.ProcessEnv): Options {
  const { help, port } = readTable(TABLE, argv, env);
  return { help, port: port ?? DEFAULT_PORT };
}

/** Every variable that says something to this program. */
export const variables = (): string[] => variablesOf(TABLE);
