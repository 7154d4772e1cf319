import { helpText } from '@lastseat/infra/command-line';

import { TABLE } from './options.ts';

export const HELP = helpText({
  summary: 'Sends buyers to the running stack, then counts in Postgres what was really sold.',
  examples: [
    ['make load', '1 and 100 tickets, each without the lock and with it'],
    ['make load TICKETS=1 BUYERS=500', 'other numbers'],
    ['make load STRATEGY=row-lock,optimistic', 'other guards, or all of them: STRATEGY=all'],
    ['make load REPEAT=20', 'twenty times in a row'],
    ['make load JSON=report.json', 'every number, for programs'],
  ],
  program: 'load/src/main.ts',
  table: TABLE,
  notes: `Latencies run from the building of a request to the last byte of its answer, connecting included.
Exit code: 0 every run is as it must be; 1 one is not, or nothing is running; 2 a wrong option; 3 nothing is wrong, but in one run there was no contention, so that it shows nothing. (make makes 2 of all but 0.)`,
});
