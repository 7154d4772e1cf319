import { startHoldSweeper } from '#src/booking/hold-sweeper.ts';
import { loadLabStrategies } from '#src/booking/lab-strategies.ts';
import { ConfigError, readConfig, type Config } from '#src/config.ts';
import { openContext } from '#src/context.ts';
import type { OnAnswer } from '#src/http/answer.ts';
import { createApp } from '#src/http/app.ts';
import { listen } from '#src/http/server.ts';
import { createLog } from '#src/log.ts';
import { createMetrics } from '#src/metrics/metrics.ts';
import { serveMetrics } from '#src/metrics/serve-metrics.ts';
import { tellStock } from '#src/metrics/stock-metrics.ts';
import { DRAIN_GRACE_MS, READY_WITHIN_MS } from '#src/time-limits.ts';
import { isTracingWanted } from '#src/tracing/is-tracing-wanted.ts';
import { untilReady } from '#src/until-ready.ts';

async function serve(config: Config): Promise<void> {
  const log = createLog(config);
  const labStrategies = await loadLabStrategies(config.labStrategyFiles);
  using metrics = config.metrics === null ? undefined : createMetrics();
  await using tracing = isTracingWanted(process.env)
    ? (await import('#src/tracing/start-tracing.ts')).startTracing(process.env, { ...config, log })
    : undefined;
  await using context = openContext(config, log, { ...metrics, ...tracing, labStrategies });
  await using _sweeper = startHoldSweeper({
    db: context.db,
    onFailed: (err) => log.debug({ err }, 'holds that have ended are left for the next round'),
  });
  let isStopping = false;
  const app = createApp({
    ...config,
    ...context,
    log,
    onAnswer: both(metrics?.onAnswer, tracing?.onAnswer),
    currentTrace: tracing?.currentTrace,
    failedChecks: async () => (isStopping ? [{ what: 'this instance is stopping' }] : context.failedChecks()),
  });

  const stopped = nextSignal();
  metrics?.watch({ ...config, ...context });
  await using _auditor =
    metrics === undefined || config.auditIntervalMs === 0
      ? undefined
      : tellStock(metrics.registry, {
          databaseUrl: config.databaseUrl,
          locks: context.auditLock,
          intervalMs: config.auditIntervalMs,
          onFailed: (err) => log.warn({ err }, 'the audit failed; it is left for the next round'),
        });
  await using metricsServer =
    metrics &&
    config.metrics &&
    (await serveMetrics(metrics.registry, {
      ...config.metrics,
      onFailed: (err) => log.error({ err }, 'the metrics cannot be told'),
    }));
  await untilReady(context.failedChecks, READY_WITHIN_MS);
  const { onStall } = metrics ?? {};
  const server = await listen(app, { ...config, log, aroundRequest: tracing?.aroundRequest, onStall });
  const { host, labMode } = config;
  log.info({ host, port: server.port, metricsPort: metricsServer?.port, labMode }, 'serving');

  const signal = await stopped;
  isStopping = true;
  log.info({ signal }, 'draining');
  const isClean = await server.drain({ delayMs: config.drainDelayMs, graceMs: DRAIN_GRACE_MS });
  if (isClean) log.info('stopped');
  else
    log.warn(
      { graceMs: DRAIN_GRACE_MS },
      'stopped with requests under way: their clients must look up what became of them',
    );
}

function both(one: OnAnswer | undefined, other: OnAnswer | undefined): OnAnswer | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return (answered) => {
    one(answered);
    other(answered);
  };
}

/** The first signal asks us to stop; the second, from somebody in a hurry, ends the process as it always does. */
async function nextSignal(): Promise<NodeJS.Signals> {
  const { promise, resolve } = Promise.withResolvers<NodeJS.Signals>();
  process.once('SIGTERM', resolve);
  process.once('SIGINT', resolve);
  return promise;
}

try {
  await serve(readConfig(process.env));
} catch (error) {
  process.exitCode = 1;
  const isExpected = error instanceof ConfigError || (error as NodeJS.ErrnoException).syscall === 'listen';
  console.error(isExpected ? (error as Error).message : error);
}

// All that is open has had its time to close. A server that is silent would keep its connection, and that the process.
process.exit();
