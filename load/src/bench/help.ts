import { helpText } from '@lastseat/infra/command-line';

import { TABLE } from './options.ts';

export const HELP = helpText({
  summary:
    'Measures every way to guard a booking, side by side, on a stack that it starts for itself and removes again.',
  examples: [
    ['make bench', 'everything; about fifteen minutes'],
    ['make bench QUICK=1', 'everything once, in short; about three minutes'],
    ['make bench ONLY=batched-update,row-lock CONNECTIONS=64 PARTS=speed', 'a part of it'],
    ['make bench PARTS=exactness EXACTNESS=100', 'whether they sell exactly, often'],
    ['make bench PARTS=compare ONLY=batched-update,batched-lock', 'two of them, in all circumstances'],
    ['make bench JSON=bench.json', 'every measurement too, for programs'],
  ],
  program: 'load/src/bench/main.ts',
  table: TABLE,
  notes: `RUNTIME=native or docker chooses what the stack is made of; without it, processes where they are installed.

Exit code: 0 measured, whether the figures are reached or not; 1 something could not be measured or cannot be believed; 2 a wrong option.`,
});
