import { showProgress } from '@lastseat/lab-frame/progress.ts';

import { startGenerator } from '../bench/generator/generator.ts';
import { startCountedReplicas } from '../bench/messages/counted-replicas.ts';
import { countMessages } from '../bench/parts/messages.ts';
import type { LabSettings, RoundTrips } from '../runs/run.ts';
import type { Lab } from './slice.ts';

// With more clients the slow guards mostly wait, and the fast ones differ little.
const MOST_CONNECTIONS = 64;

/**
 * How often one booking goes to Postgres and to Redis, as the bench counts it: on two more replicas that reach both
 * through counting proxies. These cost time, so it is a pass of its own, which nobody times.
 */
export async function countRoundTrips(
  { stack, settings, targetOf }: Pick<Lab, 'stack' | 'settings' | 'targetOf'>,
  signal: AbortSignal,
): Promise<RoundTrips[]> {
  const strategies = settings.strategies.filter((name) => name !== 'no-op');
  const connections = clientsOf(settings);
  using _progress = showProgress(() => 'counting round trips ...', process.stderr);
  await using replicas = await startCountedReplicas(stack);
  await using generator = await startGenerator(signal);
  const bench = { generator, target: targetOf(settings.replicas[0] ?? 1) };
  const counted: RoundTrips[] = [];
  for (const strategy of strategies) {
    const [messages] = await countMessages(bench, replicas, strategy, connections);
    if (!messages) continue;
    const { guard: _guard, ...rest } = messages;
    counted.push({ strategy, ...rest });
  }
  return counted;
}

/** As many as the run has, within bounds. */
function clientsOf({ connections }: LabSettings): number {
  const few = connections.filter((number) => number <= MOST_CONNECTIONS);
  return few.length > 0 ? Math.max(...few) : MOST_CONNECTIONS;
}
