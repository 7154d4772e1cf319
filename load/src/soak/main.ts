import { writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';

import { runWithOptions, speakBeside, writeJson } from '@lastseat/infra/command-line';
import { onInterruption } from '@lastseat/lab-frame/interruption.ts';
import { paintFor } from '@lastseat/lab-frame/paint.ts';
import { inWords, showProgress } from '@lastseat/lab-frame/progress.ts';
import { circumstances } from '@lastseat/lab-frame/results/recorded-run.ts';
import { count } from '@lastseat/lab-frame/words.ts';

import { chooseRuntime } from '../bench/stack/start-stack.ts';
import type { Drill, Need } from '../drills/drill.ts';
import { stackFor } from '../drills/stacks.ts';
import { LEASE_MS, openArena, REPLICAS, type Arena } from '../faults/arena.ts';
import { createRunFolder, runsFolder } from '../runs/store.ts';
import { offeredStrategies } from '../target.ts';
import { lookAgain, readLedger, type Ledger } from './afterwards.ts';
import { coursesOf, oldestOf } from './flat.ts';
import { footprintOf, type Footprint } from './footprint.ts';
import { commandOf, drillsFor, hasQuorum, HELP, readOptions, type Options } from './options.ts';
import { faultsOf } from './plan.ts';
import { conclusion, coursesTable, faultsTable, violationLines } from './report.ts';
import { playRound, type Round, type Violation } from './round.ts';
import { totalsOf } from './totals.ts';

const OPEN = 3;
const INTERRUPTED = 130;
const MINUTE_MS = 60_000;
/** All that a stack of one server each can be struck by. */
const NEEDS: readonly Need[] = ['links', 'clocks'];

await runWithOptions({ help: HELP, readOptions }, main);
// A socket that a proxy has reset while it was being opened is never closed for Node, which waits for it at its end.
process.exit();

async function main(options: Options): Promise<number> {
  const runtime = chooseRuntime({ RUNTIME: options.runtime });
  const drills = drillsFor(options);
  const when = circumstances();
  const signal = onInterruption('what is struck is healed, and everything is checked and reported');
  const speak = speakBeside(options.json);
  const paint = paintFor(process.stdout);
  const folder = createRunFolder(runsFolder(process.env), 'soak', new Date());
  await using arena = await open(options, runtime, signal);
  const strategies = options.strategies ?? (await exactStrategies(arena));
  speak(headline(options, strategies, arena));
  const { rounds, looks, last } = await soak({ arena, options, strategies, drills, folder, keep });

  const faults = rounds.flatMap(({ faults }) => faults);
  const totals = totalsOf(rounds, coursesOf(looks), last);
  speak(`\n${faultsTable(faults, paint)}`);
  speak(`\n${coursesTable(totals.courses, oldestOf(looks), looks.length, paint)}`);
  for (const line of violationLines(totals.violations, paint)) speak(`\n${line}`);
  speak(`\n${conclusion(totals, paint)}`);
  speak(
    paint('label', `Kept: ${relative(process.cwd(), folder)}; the same faults again: ${commandOf(options)}`),
  );
  const found = keep(rounds, looks, last);
  await writeJson(options.json, { folder, ...found });
  if (totals.violations.length > 0) return 1;
  if (signal.aborted) return INTERRUPTED;
  return totals.faults === 0 || totals.courses.some(({ verdict }) => verdict === 'grew') ? OPEN : 0;

  /** After each round: a soak that is killed has told what it had found. */
  function keep(rounds: readonly Round[], looks: readonly Footprint[], last: readonly Violation[]) {
    const found = {
      command: commandOf(options),
      seed: options.seed,
      circumstances: when,
      runtime: arena.stack.runtime,
      strategies,
      drills: drills.map(({ name }) => name),
      totals: totalsOf(rounds, coursesOf(looks), last),
      looks,
      faults: rounds.flatMap(({ faults }) => faults),
    };
    writeFileSync(join(folder, 'soak.json'), `${JSON.stringify(found, null, 1)}\n`);
    return found;
  }
}

interface Field {
  arena: Arena;
  options: Options;
  strategies: readonly string[];
  drills: readonly Drill[];
  folder: string;
  keep(rounds: readonly Round[], looks: readonly Footprint[], last: readonly Violation[]): void;
}

async function soak({ arena, options, strategies, drills, folder, keep }: Field) {
  const startedAtMs = performance.now();
  const untilMs = startedAtMs + options.minutes * MINUTE_MS;
  const plan = faultsOf(options.seed, drills);
  const rounds: Round[] = [];
  const looks: Footprint[] = [];
  const ledger: Ledger = new Map();
  const last: Violation[] = [];
  let struck = 0;
  let step = 'starting';
  using progress = showProgress(() => {
    const left = inWords(Math.max(0, untilMs - performance.now()));
    const wrong = rounds.reduce((sum, { violations }) => sum + violations.length, 0);
    return `${step} · ${left} left${wrong > 0 ? ` · ${count(wrong, 'check')} failed` : ''}`;
  }, process.stderr);
  const isOver = (): boolean =>
    arena.signal.aborted || performance.now() >= untilMs || struck >= options.faults;
  const field = {
    arena,
    strategies,
    seed: options.seed,
    startedAtMs,
    isOver,
    onStrike: () => (struck += 1),
    onStep(what: string) {
      step = what;
      progress.show();
    },
  };
  const look = async (): Promise<void> => {
    const atMin = Math.round((performance.now() - startedAtMs) / 600) / 100;
    looks.push(await footprintOf(arena, atMin));
  };
  const broken = (detail: string, check: string): Violation => ({
    round: rounds.length + 1,
    of: 'the service',
    faults: 'the last one',
    check,
    detail,
  });
  try {
    while (!isOver()) {
      const round = await playRound(field, rounds.length + 1, plan, folder);
      rounds.push(round);
      for (const [id, entry] of await readLedger(arena.cluster, round.eventIds)) ledger.set(id, entry);
      await look();
      keep(rounds, looks, last);
    }
    const verdicts = await lookAgain(arena.cluster, (await arena.targetNow()).postgresUrl, ledger);
    for (const { check, verdict, detail } of verdicts) {
      if (verdict !== 'passed')
        last.push({ ...broken(detail ?? '', check), of: 'all events', faults: 'all' });
    }
  } catch (error) {
    // What cannot be healed or asked any more is a finding too, and what was found before it is told.
    last.push(broken((error as Error).message, 'goes-on'));
  }
  return { rounds, looks, last };
}

async function open(
  { strategies }: Options,
  runtime: 'native' | 'docker',
  signal: AbortSignal,
): Promise<Arena> {
  const stacks = NEEDS.map((needs) => stackFor({ needs }));
  return openArena({ runtime, hasQuorum: hasQuorum(strategies), signal, ...Object.assign({}, ...stacks) });
}

/** All that promise never to sell a ticket twice. */
async function exactStrategies({ stack }: Arena): Promise<string[]> {
  const offered = await offeredStrategies(stack.url);
  return offered.filter(({ guarantee }) => guarantee === 'always').map(({ name }) => name);
}

function headline({ seed, minutes }: Options, strategies: readonly string[], { stack }: Arena): string {
  return (
    `${strategies.join(', ')} · ${count(REPLICAS, 'replica')} behind nginx, ${stack.runtime} · ` +
    `leases of ${LEASE_MS / 1_000} s · ${count(minutes, 'minute')} · seed ${seed}`
  );
}
