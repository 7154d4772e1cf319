import { helpText } from '@lastseat/infra/command-line';

import { table } from './options.ts';

export const help = helpText({
  summary:
    'Measures the locks of services/locking beside other lock libraries, on processes and Redis servers of its own.',
  examples: [
    ['make bench-lock', 'everything: about eight minutes'],
    ['make bench-lock QUICK=1', 'everything once, in shorter windows: about a minute'],
    ['make bench-lock ONLY=queue,redlock WORKLOAD=4x16,4x250', 'a part of it'],
    ['make bench-lock JSON=bench.json', 'every measurement, for programs'],
  ],
  program: 'services/locking/bench/main.ts',
  table,
  notes: `How each column is measured: services/locking/bench/README.md.
Exit code: 0 also when a figure is missed; 1 the bench failed, or a lock of ours let two in at once; 2 a wrong option.`,
});
