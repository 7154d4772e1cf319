import { STRATEGY_NAMES } from '@lastseat/booking/contract';
import { wrap } from '@lastseat/lab-frame/box.ts';

import { BENCH_PARTS, NUMBER_OPTIONS } from './options.ts';

export function helpText(): string {
  const numbers = Object.entries(NUMBER_OPTIONS).map(([name, { what, min, max }]) =>
    option(`--${name} N`, `${what}; ${min} to ${max}`),
  );
  return `Measures every way to guard a booking, side by side, on a stack that it starts for itself and removes again.

  make bench                               everything; about fourteen minutes
  make bench QUICK=1                       everything once, in short; about three minutes
  make bench ONLY=batched-update,row-lock CONNECTIONS=64 PARTS=speed
  make bench PARTS=exactness EXACTNESS=100
  make bench PARTS=compare ONLY=batched-update,batched-lock
  make bench JSON=bench.json               every measurement too, for programs

Every option is a flag (node load/src/bench/main.ts --quick) or a variable of make (QUICK=1):

${option('--quick', 'one short repeat: to see that all is in order, not to quote from')}
${numbers.join('\n')}
${option('--only NAMES', `these strategies, by comma: ${STRATEGY_NAMES.join(', ')}`)}
${option('--connections N,N', 'buyers at a time on one hot event (default: 8,64,512)')}
${option('--parts NAMES', `by comma, of ${BENCH_PARTS.join(', ')} (default: all but compare)`)}
${option('--json[=FILE]', 'JSON into FILE, or without one (JSON=1) to stdout instead of the tables')}
${option('--help', 'this text')}

RUNTIME=native or docker chooses what the stack is made of; without it, processes where they are installed.

Exit code: 0 measured, whether the figures are reached or not; 1 something could not be measured or cannot be
believed; 2 a wrong option.`;
}

const FLAG_WIDTH = 22;
const TEXT_WIDTH = 86;

function option(flag: string, what: string): string {
  return wrap(what, TEXT_WIDTH)
    .map((line, index) => `  ${(index === 0 ? flag : '').padEnd(FLAG_WIDTH - 2)}${line}`)
    .join('\n');
}
