import { fire, type Edge, type Shot, type Volley } from './fire.ts';

/** The load generator as a process of its own: what it costs is its own, and it can be told from what it measures. */

export type Message =
  | { kind: Edge; /** CPU seconds used by this process so far. */ cpuS: number }
  | { kind: 'done'; volley: Volley }
  | { kind: 'failed'; reason: string };

process.on('message', (shot: Shot) => {
  fire(shot, (edge) => send({ kind: edge, cpuS: cpuS() })).then(
    (volley) => send({ kind: 'done', volley }),
    (error: unknown) => send({ kind: 'failed', reason: String(error) }),
  );
});

// Whoever started us has gone, and there is nobody left to shoot for.
process.on('disconnect', () => process.exit());

function send(message: Message): void {
  process.send?.(message);
}

function cpuS(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000_000;
}
