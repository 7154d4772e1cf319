import {
  helpText,
  json,
  readTable,
  runProgram,
  text,
  UsageError,
  writeJson,
} from '@lastseat/infra/command-line';
import { paintFor } from '@lastseat/lab-frame/paint.ts';

import { findRun, runsFolder } from '../store.ts';
import { compareRuns, differencesOf } from './changes.ts';
import { inWords } from './words.ts';

const TABLE = {
  a: text('RUN', { what: 'the one before: its name, a beginning or an end of it, or latest', variable: 'A' }),
  b: text('RUN', { what: 'the one after', variable: 'B' }),
  json: json('every ratio'),
};

const HELP = helpText({
  summary: 'Compares two runs of the lab, cell by cell: what the second one has become of the first.',
  examples: [['make compare A=2026-11-28T22-40-12Z-lab B=latest', 'make runs lists them']],
  program: 'load/src/runs/compare/main.ts',
  table: TABLE,
  notes: `A ratio has an interval of 99 %; where that spans 1 there is no difference, and with fewer than five slices none can be told. The intervals know nothing of what another day does to a machine: compare what was measured close together, and look at the no-op route, which is nobody's work.
Exit code: 0 nothing is worse; 1 a guard is slower, makes its buyers wait longer, or fails where it did not; 2 a wrong option.`,
});

await runProgram(async () => {
  const options = readTable(TABLE, process.argv.slice(2), process.env);
  if (options.help) {
    console.log(HELP);
    return 0;
  }
  const { a: before, b: after } = options;
  if (before === undefined || after === undefined) {
    throw new UsageError('name two runs: make compare A=... B=...; make runs lists them');
  }
  const folder = runsFolder(process.env);
  const [a, b] = [findRun(folder, `A=${before}`, before).run, findRun(folder, `B=${after}`, after).run];
  const changes = compareRuns(a, b);
  const differences = differencesOf(a, b);
  if (options.json !== '-') console.log(inWords(a, b, changes, differences, paintFor(process.stdout)));
  await writeJson(options.json, { format: 'lastseat-compare/1', a: a.id, b: b.id, differences, changes });
  return changes.some(({ isRegression }) => isRegression) ? 1 : 0;
});
