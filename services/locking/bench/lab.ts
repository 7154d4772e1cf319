import { findBinary, startRedis } from '@lastseat/infra/servers';
import { redisVersion } from '@lastseat/lab-frame/redis-info.ts';
import { Redis } from 'ioredis';

import { nowMs, sleepUntil } from './clock.ts';
import type { Contender } from './contender.ts';
import type { CrowdLog } from './crowd.ts';
import { measure, type Measurement } from './measurement.ts';
import type { OpenPlan } from './open-lock.ts';
import { createServerMeter } from './server-meter.ts';
import { startWorker, type Worker } from './workers.ts';
import { crowd, type Workload } from './workloads.ts';

/** The servers and the worker processes of each contender, and the three things that can be measured with them. */
export interface Lab extends AsyncDisposable {
  /** One contender, one workload. */
  run(contender: Contender, workload: Workload, sectionMs: number, repeat: number): Promise<Measurement>;
  /** What the waiters of one process cost. */
  crowd(contender: Contender): Promise<CrowdLog>;
  /** Two empty round trips, added up, with a pause before each of them. */
  bareTrips(pauseMs: number, windowMs: number): Promise<Float64Array>;
  describe(): Promise<LabDescription>;
}

export interface LabDescription {
  runtime: string;
  servers: Record<string, string>;
}

export interface LabOptions {
  servers: number;
  retryDelayMs: number | undefined;
  /** Shortens all windows. */
  windowFactor: number;
}

export async function startLab(options: LabOptions): Promise<Lab> {
  await using stack = new AsyncDisposableStack();
  const servers = await Promise.all(Array.from({ length: options.servers }, () => startBenchRedis()));
  for (const server of servers) stack.use(server);
  const urls = servers.map(({ url }) => url);
  const crews = new Map<string, Worker[]>();
  stack.defer(async () => {
    const workers = [...crews.values()].flat();
    await Promise.all(workers.map((worker) => worker[Symbol.asyncDispose]()));
  });
  const clients = urls.map((url) => new Redis(url));
  for (const client of clients) stack.defer(() => client.disconnect());
  const meterOf = ({ servers: count }: Contender) => createServerMeter(clients.slice(0, count));

  const planFor = ({ key, servers: count }: Contender): OpenPlan => ({
    contender: key,
    urls: urls.slice(0, count),
    retryDelayMs: options.retryDelayMs,
  });

  /**
   * So many processes that do nothing but this, and are kept, as those of a service are. If all contenders had the same
   * ones, the compiler would see what no program does, and forget the one between two of its turns.
   */
  function crewOf(key: string, size: number): Worker[] {
    const crew = crews.get(key) ?? [];
    crews.set(key, crew);
    while (crew.length < size) crew.push(startWorker());
    return crew.slice(0, size);
  }

  async function run(contender: Contender, workload: Workload, sectionMs: number, repeat: number) {
    const meter = meterOf(contender);
    const crew = crewOf(contender.key, workload.processes);
    await Promise.all(crew.map((worker) => worker.ask('open', planFor(contender))));

    const fromMs = nowMs() + workload.warmUpMs * options.windowFactor;
    const untilMs = fromMs + workload.windowMs * options.windowFactor;
    const { waiters, names, inRounds } = workload;
    const drainMs = workload.drainMs * options.windowFactor;
    const running = Promise.all(
      crew.map((worker, process) =>
        worker.ask('run', { waiters, process, names, sectionMs, inRounds, fromMs, untilMs, drainMs }),
      ),
    );
    const [logs, rates] = await Promise.all([running, readRates()]);
    async function readRates() {
      await sleepUntil(fromMs);
      const stop = await meter.start();
      await sleepUntil(untilMs);
      return stop();
    }

    // A lock is kept open, as a service does it; unless some go on trying, whose connections have to be closed for that.
    if (logs.some(({ stillWaitingMs }) => stillWaitingMs.length > 0)) {
      await Promise.all(crew.map((worker) => worker.ask('close', undefined)));
    }
    await meter.flush();
    const labels = { contender: contender.key, workload: workload.key, sectionMs, repeat };
    return measure(labels, logs, rates);
  }

  async function measureCrowd(contender: Contender) {
    await using worker = startWorker();
    const log = await worker.ask('crowd', {
      ...planFor(contender),
      few: crowd.few,
      many: crowd.many,
      windowMs: crowd.windowMs * options.windowFactor,
    });
    await worker[Symbol.asyncDispose]();
    await meterOf(contender).flush();
    return log;
  }

  async function bareTrips(pauseMs: number, windowMs: number) {
    const [worker] = crewOf('bare-trips', 1) as [Worker];
    return worker.ask('bareTrips', {
      url: urls[0] ?? '',
      pauseMs,
      windowMs: windowMs * options.windowFactor,
    });
  }

  async function describe() {
    const redis = redisVersion((await clients[0]?.info('server')) ?? '');
    return { runtime: servers[0]?.runtime ?? 'unknown', servers: { redis } };
  }

  const kept = stack.move();
  return { run, crowd: measureCrowd, bareTrips, describe, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

/**
 * Without a disk: what is compared is the locks. As a plain process where there is one to start, because what Docker
 * puts between a port of this machine and a container takes longer than Redis does.
 */
function startBenchRedis() {
  const native = process.env['RUNTIME'] === undefined && findBinary('redis-server') !== null;
  return startRedis({ settings: { appendonly: 'no' }, ...(native && { runtime: 'native' }) });
}
