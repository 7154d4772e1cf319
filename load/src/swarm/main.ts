import { writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';

import { runWithOptions, speakBeside, writeJson } from '@lastseat/infra/command-line';
import { onInterruption } from '@lastseat/lab-frame/interruption.ts';
import { paintFor } from '@lastseat/lab-frame/paint.ts';
import { circumstances } from '@lastseat/lab-frame/results/recorded-run.ts';
import { count } from '@lastseat/lab-frame/words.ts';

import { writeHistory } from '../history/write-history.ts';
import { createRunFolder, runsFolder } from '../runs/store.ts';
import type { Target } from '../target.ts';
import { startBalancer } from './balancer.ts';
import { chooseDataNodes } from './data-nodes.ts';
import { bringImages, makeReleases } from './images.ts';
import { HELP, readOptions, type Options } from './options.ts';
import { play, type Field, type Played } from './play.ts';
import { conclusion, faultsOf, swarmTable } from './report.ts';
import type { Scenario } from './scenario.ts';
import { findSwarm } from './swarm.ts';
import { startTestStack } from './test-stack.ts';

const INTERRUPTED = 130;

await runWithOptions({ help: HELP, readOptions }, main);

async function main(options: Options): Promise<number> {
  const swarm = await findSwarm(options.hosts, options.commands);
  const when = circumstances();
  const signal = onInterruption('every node is mended, and the stack removed');
  const data = await chooseDataNodes(swarm, options.ha);
  const releases = await makeReleases(options.image, options.ha, note);
  await bringImages(releases, swarm.nodes, data, note);

  const { port, strategies, runs, scenarios } = options;
  const [first] = scenarios;
  if (signal.aborted) return INTERRUPTED;
  const holders = data.nodes.map(({ name }) => name).join(', ');
  note(`${count(swarm.nodes.length, 'node')}; the data are on ${holders}`);
  const played: Played[] = [];
  const folder = createRunFolder(runsFolder(process.env), 'swarm', new Date());
  const found = () => ({
    circumstances: when,
    nodes: swarm.nodes.length,
    ha: options.ha,
    strategies,
    played: played.map(({ guards, ...run }) => ({
      ...run,
      guards: guards.map((guard) => ({ ...guard, operations: guard.operations.length })),
    })),
  });
  {
    await using stack = await startTestStack(swarm, {
      data,
      port,
      note,
      image: releases.first,
      redundantImage: releases.redundant,
      replicas: first?.replicas ?? 0,
    });
    await using balancer = await startBalancer(
      swarm.nodes.map(({ name, address }) => ({ name, url: `http://${address}:${port}` })),
    );
    const target: Target = {
      url: balancer.url,
      postgresUrl: stack.postgresUrl,
      replicas: null,
      runtime: 'docker',
      hasQuorum: false,
    };
    const field: Field = { swarm, stack, releases, balancer, target, strategies, note, signal };
    // In turn, so that a machine that becomes slow does not fall on one of them alone.
    for (let run = 0; run < runs; run += 1) {
      for (const scenario of scenarios) {
        if (signal.aborted) break;
        note(`${scenario.name}, run ${run + 1} of ${runs}: ${scenario.what}`);
        const result = await play(field, scenario, run).catch((error: unknown) =>
          neverPlayed(scenario, error),
        );
        played.push(result);
        keepHistories(folder, result, run);
        writeFileSync(join(folder, 'swarm.json'), `${JSON.stringify(found(), null, 1)}\n`);
        for (const fault of faultsOf(result)) note(`  ${fault}`);
      }
    }
  }
  const speak = speakBeside(options.json);
  const paint = paintFor(process.stdout);
  speak(`\n${swarmTable(played, paint)}\n\n${conclusion(played, paint)}`);
  speak(paint('label', `Kept: ${relative(process.cwd(), folder)}`));
  await writeJson(options.json, { folder, ...found() });
  if (signal.aborted) return INTERRUPTED;
  return played.some((run) => faultsOf(run).length > 0) ? 1 : 0;
}

/** With the time, which tells whoever waits how long a step has taken. */
function note(line: string): void {
  console.error(`${new Date().toISOString().slice(11, 19)}  ${line}`);
}

/** What could not even begin is no reason to leave out the rest. */
function neverPlayed({ name }: Scenario, error: unknown): Played {
  return { scenario: name, wholeAfterMs: 0, guards: [], failure: `not begun: ${(error as Error).message}` };
}

/** Of what broke. */
function keepHistories(folder: string, { scenario, guards }: Played, run: number): void {
  for (const { strategy, checks, operations } of guards) {
    if (!checks.some(({ verdict }) => verdict === 'failed')) continue;
    using history = writeHistory(join(folder, `history-${scenario}-${strategy}-${run + 1}.jsonl`));
    for (const operation of operations) history.append(operation);
  }
}
