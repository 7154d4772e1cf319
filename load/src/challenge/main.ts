import { copyFileSync, writeFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';

import { runWithOptions, speakBeside, UserError, writeJson } from '@lastseat/infra/command-line';
import { onInterruption } from '@lastseat/lab-frame/interruption.ts';
import { paintFor } from '@lastseat/lab-frame/paint.ts';
import { showSteps } from '@lastseat/lab-frame/progress.ts';
import { circumstances } from '@lastseat/lab-frame/results/recorded-run.ts';

import { LEASE_MS, openArena, REPLICAS, type Arena } from '../faults/arena.ts';
import type { Operation } from '../history/operation.ts';
import { writeHistory } from '../history/write-history.ts';
import { createRunFolder, runsFolder } from '../runs/store.ts';
import { verdictOf, type Attack, type Trial } from './attack.ts';
import { ATTACKS } from './attacks/attacks.ts';
import { HELP, readOptions, type Options } from './options.ts';
import { readStrategies, type StrategyOfFile } from './read-strategies.ts';
import { conclusion, evidenceLines, trialLines, verdictOfAll, type ChallengeOfStrategy } from './verdict.ts';

const NOT_SHOWN = 3;
const INTERRUPTED = 130;

// A guard that makes everybody wait for as long as they may is convicted by then; the rest of the attacks is left out.
const NO_NEW_ATTACK_AFTER_MS = 90_000;

await runWithOptions({ help: HELP, readOptions }, main);

async function main(options: Options): Promise<number> {
  const strategies = await readStrategies(options.files);
  refuseWithoutPromise(strategies);
  const attacks = ATTACKS.filter(({ name }) => options.attacks.includes(name));
  const signal = onInterruption('what was found is kept');
  const speak = speakBeside(options.json);
  const paint = paintFor(process.stdout);

  await using arena = await openArena({
    files: [...new Set(strategies.map(({ path }) => path))],
    runtime: options.runtime,
    signal,
  });
  const folder = createRunFolder(runsFolder(process.env), 'challenge', new Date());
  const when = circumstances();
  const found: ChallengeOfStrategy[] = [];
  for (const strategy of strategies) {
    speak(
      `\n${paint('strong', strategy.name)} · promises "${strategy.guarantee}" · ${REPLICAS} replicas behind nginx, ` +
        `${arena.stack.runtime} · leases of ${LEASE_MS / 1_000} s\n`,
    );
    copyFileSync(strategy.path, join(folder, `${strategy.name}-${basename(strategy.path)}`));
    const { challenge, evidence } = await challengeOne(arena, strategy, attacks, folder);
    found.push(challenge);
    writeFileSync(
      join(folder, 'challenge.json'),
      `${JSON.stringify({ circumstances: when, found }, null, 1)}\n`,
    );
    speak([...trialLines(challenge, paint), ''].join('\n'));
    if (evidence) speak([...evidenceLines(evidence.operations, evidence.path, paint), ''].join('\n'));
    speak(conclusion(challenge, paint));
    if (signal.aborted) return INTERRUPTED;
  }
  speak(paint('label', `Kept: ${relative(process.cwd(), folder)}`));
  await writeJson(options.json, { folder, found });
  const verdicts = new Set(found.map(({ verdict }) => verdict));
  if (verdicts.has('convicted')) return 1;
  return verdicts.has('not shown') ? NOT_SHOWN : 0;
}

function refuseWithoutPromise(strategies: readonly StrategyOfFile[]): void {
  const none = strategies.find(({ guarantee }) => guarantee === 'none');
  if (none) {
    throw new UserError(
      `${none.path}: ${none.name} promises nothing (guarantee: 'none'), so nothing can be held against it: promise 'while-lease-held' or 'always'`,
    );
  }
}

interface Evidence {
  operations: readonly Operation[];
  path: string;
}

async function challengeOne(
  arena: Arena,
  strategy: StrategyOfFile,
  attacks: readonly Attack[],
  folder: string,
): Promise<{ challenge: ChallengeOfStrategy; evidence: Evidence | undefined }> {
  const steps = attacks.map((attack) => ({ attack, what: attack.name, expectedMs: attack.expectedMs }));
  using progress = showSteps(steps, process.stderr);
  const startedAtMs = performance.now();
  const trials: Trial[] = [];
  let evidence: Evidence | undefined;
  for (const step of steps) {
    const { attack } = step;
    if (arena.signal.aborted) break;
    if (performance.now() - startedAtMs > NO_NEW_ATTACK_AFTER_MS) {
      trials.push(leftOut(attack));
      continue;
    }
    progress.begin(step);
    const judged = await attack.run(arena, strategy);
    const trial = verdictOf(attack, strategy.guarantee, judged);
    const history = keep(folder, strategy, attack, judged.operations);
    trials.push({ ...trial, history });
    if (trial.verdict === 'convicted' && history !== null) {
      evidence ??= { operations: judged.operations, path: join(folder, history) };
    }
  }
  return { challenge: { ...strategy, verdict: verdictOfAll(trials), trials }, evidence };
}

function leftOut({ name }: Attack): Trial {
  const detail = 'left out: the attacks before it took too long';
  return { attack: name, verdict: 'not shown', seen: '', check: null, detail, checks: [], history: null };
}

function keep(
  folder: string,
  { name }: StrategyOfFile,
  attack: Attack,
  operations: readonly Operation[],
): string | null {
  if (operations.length === 0) return null;
  const file = `history-${name}-${attack.name}.jsonl`;
  using history = writeHistory(join(folder, file));
  for (const operation of operations) history.append(operation);
  return file;
}
