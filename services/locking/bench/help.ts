import { contenderKeys, workloadKeys } from './options.ts';

export function helpText(): string {
  return `Measures the locks of services/locking beside other lock libraries, on processes and Redis servers of its own.

  make bench-lock                       everything: about eight minutes
  make bench-lock QUICK=1               everything once, in shorter windows: about a minute
  make bench-lock ONLY=queue,redlock WORKLOAD=4x16,4x250
  make bench-lock JSON=bench.json       every measurement, for programs

Every option is a flag (node services/locking/bench/main.ts --quick) or a variable of make (QUICK=1):

  --quick              once, in windows less than half as long; for a first look
  --repeats N          slices of each figure, of which three measure everything (default: 9, with --quick 1)
  --only NAMES         ${contenderKeys.slice(0, 5).join(', ')},
                       ${contenderKeys.slice(5).join(', ')}
  --workload NAMES     ${workloadKeys.join(', ')}
  --retry-delay-ms N   time between two tries, for all that wait by trying (default: what each library has chosen)
  --json[=FILE]        every measurement into FILE, or without one to stdout instead of the tables
  --help               this text

How each column is measured: services/locking/bench/README.md.
Exit code: 0 also when a figure is missed; 1 the bench failed, or a lock of ours let two in at once; 2 a wrong option.`;
}
