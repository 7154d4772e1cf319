import { helpText, json, readTable, runProgram, writeJson } from '@lastseat/infra/command-line';
import { paintFor } from '@lastseat/lab-frame/paint.ts';
import { table } from '@lastseat/lab-frame/table.ts';
import { count } from '@lastseat/lab-frame/words.ts';

import { verdictOfCell } from '../rate.ts';
import type { LabRun } from '../run.ts';
import { listRuns, readRun, runsFolder } from '../store.ts';

const TABLE = { json: json('all of them, without their slices') };

const HELP = helpText({
  summary: 'Lists the runs of the lab, the newest last.',
  examples: [
    ['make runs', 'what there is'],
    ['make compare A=... B=...', 'two of them, cell by cell'],
  ],
  program: 'load/src/runs/list/main.ts',
  table: TABLE,
  notes: 'Each is a folder under .lastseat/runs, and may be deleted. Exit code: 0; 2 a wrong option.',
});

await runProgram(async () => {
  const options = readTable(TABLE, process.argv.slice(2), process.env);
  if (options.help) {
    console.log(HELP);
    return 0;
  }
  const folder = runsFolder(process.env);
  const runs = listRuns(folder).map((name) => readRun(`${folder}/${name}`).run);
  await writeJson(options.json, runs.map(summaryOf));
  if (options.json === '-') return 0;
  if (runs.length === 0) {
    console.log('there is no run yet: make lab');
    return 0;
  }
  const paint = paintFor(process.stdout);
  const header = ['', 'commit', 'workload', 'cells', 'exact', 'oversold', 'failed', ''];
  const [first = '', ...lines] = table(header, runs.map(rowOf));
  console.log([paint('label', first), ...lines].join('\n'));
  return 0;
});

function summaryOf(run: LabRun) {
  const { id, name, command, circumstances, isComplete, settings } = run;
  const { startedAt, commit, dirty } = circumstances;
  return { id, name, command, startedAt, commit, dirty, isComplete, settings, verdicts: verdictsOf(run) };
}

function verdictsOf({ cells }: LabRun): Record<string, number> {
  const verdicts = Map.groupBy(cells, verdictOfCell);
  return Object.fromEntries([...verdicts].map(([verdict, { length }]) => [verdict, length]));
}

function rowOf(run: LabRun): string[] {
  const { commit, dirty } = run.circumstances;
  const verdicts = verdictsOf(run);
  return [
    run.id,
    commit === null ? '-' : `${commit}${dirty ? ' +' : ''}`,
    run.settings.workload,
    count(run.cells.length, 'cell'),
    ...['exact', 'oversold', 'failed'].map((verdict) => String(verdicts[verdict] ?? 0)),
    run.isComplete ? '' : 'interrupted',
  ];
}
