import { parseFlags, runProgram, UsageError } from '@lastseat/infra/command-line';

import { checkHistory } from '../linearizability/from-history.ts';
import { toEdn } from './edn.ts';
import { readHistory } from './read-history.ts';

const HELP = `What to do with the history of a run (load/HISTORY.md tells what is in it):

  node_modules/.bin/node load/src/history/main.ts --check history.jsonl   is there an order in which each event was right?
  node_modules/.bin/node load/src/history/main.ts --edn history.jsonl     the same history for Jepsen's checkers

--within S  seconds to look for an order of each event (default: 60); longer is "not decided"
Exit codes: 0 done, and linearizable where that was asked; 1 not linearizable; 2 a wrong option; 3 not decided.`;

await runProgram(main);

async function main(): Promise<number> {
  const { values, positionals } = parseFlags({
    args: process.argv.slice(2),
    allowPositionals: true,
    options: {
      check: { type: 'boolean' },
      edn: { type: 'boolean' },
      within: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const [path, ...more] = positionals;
  if (path === undefined || more.length > 0) throw new UsageError('name one history: a file of JSON Lines');
  if (values.check === values.edn) throw new UsageError('say either --check or --edn');
  const withinS = Number(values.within ?? 60);
  if (!(withinS > 0)) throw new UsageError(`--within ${values.within}: a number of seconds`);
  const history = await Array.fromAsync(readHistory(path));
  if (values.edn) {
    for (const line of toEdn(history)) console.log(line);
    return 0;
  }
  const events = checkHistory(history, withinS * 1_000);
  if (events.length === 0) throw new UsageError(`${path} has no event from its creation on`);
  for (const { event, result, sentence } of events) {
    console.log(`event ${event}: ${result.verdict}${sentence ? `: ${sentence}` : ''}`);
  }
  if (events.some(({ result }) => result.verdict === 'not linearizable')) return 1;
  return events.some(({ result }) => result.verdict === 'not decided') ? 3 : 0;
}
