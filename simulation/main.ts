import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { runWithOptions, speakBeside, writeJson } from '@lastseat/infra/command-line';

import { onInterruption } from '../lab-frame/interruption.ts';
import { type Paint, paintFor } from '../lab-frame/paint.ts';
import { table } from '../lab-frame/table.ts';
import { makeMistake } from './mistakes/make-mistake.ts';
import { MISTAKES } from './mistakes/mistakes.ts';
import { HELP, type Options, readOptions } from './options.ts';
import type { Found } from './run.ts';

const INTERRUPTED = 130;
const ON_TERMINAL_MS = 250;
const IN_LOG_MS = 10_000;

await runWithOptions({ help: HELP, readOptions }, main);

async function main(options: Options): Promise<number> {
  const signal = onInterruption('what was found is kept');
  const paint = paintFor(process.stdout);
  const speak = speakBeside(options.json);
  if (options.mistake === 'all') return findMistakes(options, { signal, paint, speak });

  if (options.mistake !== null) makeMistake(options.mistake);
  // Only now: it loads the service, with the mistake.
  const { promises, run } = await import('./run.ts');
  speak(paint('label', `${options.histories} histories from seed ${options.seed}`));
  const found = await run(options, {
    signal,
    onLine: options.trace && options.json !== '-' ? speak : undefined,
    onHistory: createProgress(options),
  });
  speak(tableOf(found, promises));
  speak(verdictOf(found, options, paint));
  await writeJson(options.json, found);
  if (signal.aborted) return INTERRUPTED;
  const isFound = found.failure !== null;
  return isFound === (options.mistake !== null) ? 0 : 1;
}

/** Between two histories: while one is played, no time passes but its own. */
function createProgress({ histories, trace }: Options): (done: number) => void {
  const { stderr } = process;
  const startedAtMs = Date.now();
  let shownAtMs = startedAtMs;
  return (done) => {
    const now = Date.now();
    if (trace || now - shownAtMs < (stderr.isTTY ? ON_TERMINAL_MS : IN_LOG_MS)) return;
    shownAtMs = now;
    const perMinute = Math.round((done / (now - startedAtMs)) * 60_000);
    const line = `${done} of ${histories} histories · ${perMinute} a minute`;
    stderr.write(stderr.isTTY ? `\r\x1b[K${line}` : `${line}\n`);
    if (stderr.isTTY && done === histories) stderr.write('\r\x1b[K');
  };
}

function tableOf({ strategies }: Found, promises: (strategy: string) => boolean): string {
  const rows = Object.entries(strategies).map(([strategy, { histories, broken, firstAfter }]) => [
    strategy,
    String(histories),
    String(broken),
    firstAfter === null ? '' : `after ${firstAfter}`,
    broken === 0 ? 'exact' : promises(strategy) ? 'BROKEN' : 'broken, as it says',
  ]);
  return table(['', 'histories', 'broken', 'the first', ''], rows).join('\n');
}

function verdictOf({ failure, histories, perMinute }: Found, { mistake }: Options, paint: Paint): string {
  const rate = `${histories} histories, ${perMinute} a minute`;
  if (failure === null) {
    return mistake === null
      ? `\n${paint('good', 'PASS')}  ${rate}: each is explained by one order of its operations.`
      : `\n${paint('bad', 'FAIL')}  ${rate}: the mistake was not found.`;
  }
  const { trace, problems, command, parts } = failure;
  return [
    '',
    ...trace,
    '',
    mistake === null
      ? `${paint('bad', 'FAIL')}  after ${rate}:`
      : `${paint('good', 'FOUND')}  after ${rate}:`,
    ...problems.map((problem) => `      ${problem}`),
    `Of ${parts} requests and faults these are enough; again: ${command}`,
  ].join('\n');
}

interface Saying {
  signal: AbortSignal;
  paint: Paint;
  speak: (text: string) => void;
}

/** Each in a process of its own: a source is loaded once. */
async function findMistakes(options: Options, { signal, paint, speak }: Saying): Promise<number> {
  const runFile = promisify(execFile);
  const program = fileURLToPath(import.meta.url);
  const results: { name: string; what: string; found: Found }[] = [];
  for (const { name, what } of MISTAKES) {
    if (signal.aborted) break;
    const args = [
      `--mistake=${name}`,
      `--histories=${options.histories}`,
      `--seed=${options.seed}`,
      '--json',
    ];
    const run = await runFile(process.execPath, [program, ...args], {
      env: { PATH: process.env['PATH'] },
      maxBuffer: 1e8,
      signal,
    }).catch((error: { stdout?: string; stderr?: string; code?: number }) => {
      if (signal.aborted) return null;
      // A mistake that is not found is told by its exit code, and by its report too.
      if (error.code !== 1 || !error.stdout) throw error;
      return { stdout: error.stdout };
    });
    if (run === null || signal.aborted) break;
    results.push({ name, what, found: JSON.parse(run.stdout) as Found });
  }
  const rows = results.map(({ name, what, found }) => [
    name,
    found.failure === null ? paint('bad', 'NOT FOUND') : String(found.histories),
    // An error brings its stack.
    found.failure?.problems[0]?.split('\n')[0] ?? what,
  ]);
  speak(table(['mistake', 'found after', 'as'], rows).join('\n'));
  await writeJson(options.json, { seed: options.seed, mistakes: results });
  if (signal.aborted) return INTERRUPTED;
  return results.every(({ found }) => found.failure !== null) ? 0 : 1;
}
