import { helpText, readTable, text, variablesOf } from '@lastseat/infra/command-line';

export const TABLE = {
  run: text('RUN', { what: 'the run, by a part of its name (default: latest)' }),
  beside: text('RUNS', { what: 'runs whose lines lie over its charts, by comma' }),
};

export const HELP = helpText({
  summary:
    'Makes a run of the lab into a page, report.html, and report.md for a pull request, beside its run.json.',
  examples: [
    ['make report', 'of the last run'],
    ['make report RUN=2026-11-28T22-40-12Z-lab', 'of another one'],
    ['make report BESIDE=before', 'with the lines of a run of that name over the charts'],
  ],
  program: 'load/src/run-report/main.ts',
  table: TABLE,
  notes: 'Exit code: 0 written; 2 a wrong option.',
});

export interface Options {
  help: boolean;
  run: string;
  beside: string[];
}

export function readOptions(argv: readonly string[], env: NodeJS.ProcessEnv): Options {
  const { help, run = 'latest', beside = '' } = readTable(TABLE, argv, env);
  return { help, run, beside: beside.split(',').filter(Boolean) };
}

/** Every variable that says something to this program. */
export const variables = (): string[] => variablesOf(TABLE);
