import type { Part } from './parts.ts';

export const LOG_KEEPER = 'logs';

/** A log has at most this and what is written within two seconds; beside it is kept as much of its past. */
export const maxLogBytes = 10_000_000;

// A shell: a Node of 40 MB would be a high price for this. Each part appends to its log, so a log that is cut to nothing
// goes on from there. What is written between the copy and the cut is lost.
const script = `
while sleep 2; do
  find . -name '*.log' -size +${Math.floor(maxLogBytes / 1024)}k \\
    -exec sh -c 'tail -c ${maxLogBytes} "$0" > "$0.1" && : > "$0"' {} \\;
done`;

/** Keeps the logs of all parts bounded, for as long as they run. */
export function logKeeperPart(logsDir: string): Part {
  return {
    name: LOG_KEEPER,
    command: '/bin/sh',
    args: ['-c', script],
    cwd: logsDir,
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin' },
    user: null,
    stopSignal: 'SIGTERM',
    settings: '',
    url: '',
    probe: async () => {}, // nobody waits for it
  };
}
