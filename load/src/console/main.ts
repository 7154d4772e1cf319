import { once } from 'node:events';

import { findCluster } from '@lastseat/infra/cluster';
import { runWithOptions, UserError } from '@lastseat/infra/command-line';
import { onInterruption } from '@lastseat/lab-frame/interruption.ts';

import { refuseSilent } from '../target.ts';
import { openControl } from './control.ts';
import { HELP, readOptions, type Options } from './options.ts';
import { serveConsole } from './server.ts';

await runWithOptions({ help: HELP, readOptions }, main);

// Requests of a sale that is under way may wait for their answers some seconds more; nobody waits for those.
process.exit();

async function main(options: Options): Promise<number> {
  const cluster = await findCluster();
  const stack = await cluster.find();
  if (stack === null) throw new UserError('nothing is running: make up');
  if (stack.settings.LAB_MODE === 'off') {
    throw new UserError(
      'what runs is not in lab mode, in which alone strategies can be chosen: make up LAB_MODE=on',
    );
  }
  await refuseSilent({ ...stack, hasQuorum: stack.quorumUrls.length > 0 });
  // A terminal that is closed ends it as Ctrl-C does, and what is said then nobody hears.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  process.once('SIGHUP', () => process.kill(process.pid, 'SIGTERM'));
  const signal = onInterruption('what was paused goes on');
  await using control = await openControl(cluster, stack);
  await using server = await serveConsole(control, options.port);
  console.log(`${server.url} is the console of ${stack.url}. Ctrl-C ends it.`);
  if (!signal.aborted) await once(signal, 'abort');
  return 0;
}
