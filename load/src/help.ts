import { wrap } from '@lastseat/lab-frame/box.ts';

import { NUMBER_OPTIONS } from './options.ts';
import { GUARD_NAMES } from './scenario.ts';

export function helpText(): string {
  const numbers = Object.entries(NUMBER_OPTIONS).map(([name, { what, min, max }]) =>
    option(`--${name} N`, `${what}; ${min} to ${max}`),
  );
  return `Lets a crowd of buyers loose on the running stack, then counts in Postgres what was really sold.

  make load                                1 and 100 tickets, each without the lock and with it
  make load TICKETS=1 BUYERS=500           another crowd
  make load STRATEGY=row-lock,optimistic   other guards, or all of them: STRATEGY=all
  make load REPEAT=20                      twenty times in a row
  make load JSON=report.json               every number, for programs

Every option is a flag (node load/src/main.ts --race-window-ms 5) or a variable of make (RACE_WINDOW_MS=5):

${numbers.join('\n')}
${option('--strategy NAMES', `one or several, by comma or repeated: all, ${GUARD_NAMES.join(', ')}`)}
${option('--json[=FILE]', 'a JSON report into FILE, or without one (JSON=1) to stdout instead of the tables')}
${option('--url URL', 'another stack on this machine; LOAD_URL as a variable (default: the one that is up)')}
${option('--database-url URL', 'its Postgres; LOAD_DATABASE_URL as a variable')}
${option('--dry-run', 'only say what is wrong with the options')}
${option('--help', 'this text')}

Latencies run from the building of a request to the last byte of its answer, connecting included.
Exit code: 0 every run is as it must be; 1 one is not, or nothing is running; 2 a wrong option; 3 nothing is wrong, but
in one run there was no contention, so that it shows nothing. (make makes 2 of all but 0.)`;
}

const FLAG_WIDTH = 24;
const TEXT_WIDTH = 84;

function option(flag: string, what: string): string {
  return wrap(what, TEXT_WIDTH)
    .map((line, index) => `  ${(index === 0 ? flag : '').padEnd(FLAG_WIDTH - 2)}${line}`)
    .join('\n');
}
