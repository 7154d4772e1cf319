import { sendLoad, type Edge, type FixedLoad, type LoadResult } from './send-load.ts';

/** The load generator as a process of its own: what it costs is its own, and it can be told from what it measures. */

export type Message =
  | { kind: Edge; /** CPU seconds used by this process so far. */ cpuS: number }
  | { kind: 'done'; result: LoadResult }
  | { kind: 'failed'; reason: string };

process.on('message', (load: FixedLoad) => {
  sendLoad(load, (edge) => send({ kind: edge, cpuS: cpuS() })).then(
    (result) => send({ kind: 'done', result }),
    (error: unknown) => send({ kind: 'failed', reason: String(error) }),
  );
});

// Whoever started us has gone, and nobody waits for what is under way.
process.on('disconnect', () => process.exit());

function send(message: Message): void {
  process.send?.(message);
}

function cpuS(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000_000;
}
