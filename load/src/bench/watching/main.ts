import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { dieWithParent, freePort, startPostgres, startRedis } from '@lastseat/infra/servers';
import { medianInterval } from '@lastseat/lab-frame/figures/interval.ts';
import { median } from '@lastseat/lab-frame/statistics.ts';
import { table } from '@lastseat/lab-frame/table.ts';

import { cpuSecondsOfTrees } from '../cpu.ts';
import { startGenerator } from '../generator/generator.ts';

/**
 * What it costs to be watched: replicas that differ in nothing else sell in turn, slice by slice, and each is compared
 * with the one beside it that nobody watches. One sells while the others are idle.
 */

const HELP = `What metrics and traces cost a replica: bookings a second and CPU for each, beside a replica without them.

  node_modules/.bin/node load/src/bench/watching/main.ts [--slices 20] [--connections 64] [--window-ms 1000] [--strategy batched-update]

A ratio is the median of those of all slices, with its 95 % interval.`;

const VARIANTS: Record<string, (ports: { metrics: number; collector: number }) => NodeJS.ProcessEnv> = {
  neither: () => ({}),
  metrics: ({ metrics }) => ({ METRICS_PORT: String(metrics) }),
  'metrics, traces of 10 %': ({ metrics, collector }) => ({
    METRICS_PORT: String(metrics),
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${collector}`,
    OTEL_TRACES_SAMPLER: 'traceidratio',
    OTEL_TRACES_SAMPLER_ARG: '0.1',
  }),
  'metrics, traces of all': ({ metrics, collector }) => ({
    METRICS_PORT: String(metrics),
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${collector}`,
  }),
};

const SERVICE = fileURLToPath(new URL('../../../../services/booking', import.meta.url));
const START_TIMEOUT_MS = 20_000;
const WARM_UP_MS = 300;
const EVENT = 1;
/** More than one slice sells; each begins anew. */
const TICKETS = 1_000_000;

interface Replica {
  name: string;
  origin: string;
  pid: number;
}

interface Slice {
  rate: number;
  cpuUs: number;
}

const { values } = parseArgs({
  options: {
    slices: { type: 'string', default: '20' },
    connections: { type: 'string', default: '64' },
    'window-ms': { type: 'string', default: '1000' },
    strategy: { type: 'string', default: 'batched-update' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) process.stdout.write(`${HELP}\n`);
else await measure();

async function measure(): Promise<void> {
  await using opened = new AsyncDisposableStack();
  const postgres = opened.use(await startPostgres());
  const redis = opened.use(await startRedis());
  const servers = { DATABASE_URL: postgres.url, REDIS_URL: redis.url };
  const migration = spawn(process.execPath, ['src/migrate.ts'], {
    cwd: SERVICE,
    stdio: 'ignore',
    env: { ...process.env, ...servers },
  });
  if ((await once(migration, 'exit'))[0] !== 0) throw new Error('the migrations failed');
  const collector = opened.adopt(
    fork(new URL('collector.ts', import.meta.url)),
    (child) => void child.kill(),
  );
  const [collectorPort] = (await once(collector, 'message')) as [number];

  const replicas: Replica[] = [];
  for (const [name, environment] of Object.entries(VARIANTS)) {
    const env = environment({ metrics: await freePort(), collector: collectorPort });
    replicas.push(await startReplica(opened, name, { ...servers, ...env }));
  }
  const generator = opened.use(await startGenerator(new AbortController().signal));

  async function sliceOf({ origin, pid }: Replica, windowMs: number): Promise<Slice> {
    const reset = await fetch(`${origin}/reset/${EVENT}?tickets=${TICKETS}`, { method: 'POST' });
    if (!reset.ok) throw new Error(`the event cannot be reset: ${await reset.text()}`);
    const cpuS: number[] = [];
    const { window } = await generator.send(
      {
        origins: [origin],
        paths: [`/book/${values.strategy}/${EVENT}`],
        body: '',
        connections: Number(values.connections),
        timing: { warmUpMs: WARM_UP_MS, windowMs },
      },
      () => cpuS.push(cpuSecondsOfTrees([pid]) ?? Number.NaN),
    );
    if (window.booked === 0 || window.refused > 0) throw new Error(`${window.refused} bookings were refused`);
    const [before = Number.NaN, after = Number.NaN] = cpuS;
    return { rate: window.booked / (window.ms / 1_000), cpuUs: ((after - before) * 1e6) / window.booked };
  }

  const windowMs = Number(values['window-ms']);
  // What runs often is compiled in time.
  for (let round = 0; round < 2; round += 1) for (const each of replicas) await sliceOf(each, windowMs);
  const slices = new Map<string, Slice[]>(replicas.map(({ name }) => [name, []]));
  for (let slice = 0; slice < Number(values.slices); slice += 1) {
    // To and fro, so that none is always the one after the same other.
    for (const each of slice % 2 === 0 ? replicas : replicas.toReversed())
      slices.get(each.name)?.push(await sliceOf(each, windowMs));
  }
  const [base = []] = slices.values();
  const header = ['', 'bookings/s', 'of neither', '95 %', 'CPU each', 'of neither', '95 %'];
  const rows = [...slices].map(([name, own]) => {
    const rate = compared(own, base, ({ rate }) => rate);
    const cpu = compared(own, base, ({ cpuUs }) => cpuUs);
    const cpuUs = middle(own.map(({ cpuUs }) => cpuUs)).toFixed(0);
    return [name, middle(own.map(({ rate }) => rate)).toFixed(0)].concat(rate, `${cpuUs} us`, cpu);
  });
  process.stdout.write(`${table(header, rows).join('\n')}\n`);
}

function compared(
  own: readonly Slice[],
  base: readonly Slice[],
  valueOf: (slice: Slice) => number,
): string[] {
  const ratios = own.flatMap((slice, i) => {
    const beside = base[i];
    return beside === undefined ? [] : [valueOf(slice) / valueOf(beside)];
  });
  const interval = medianInterval(ratios);
  return [middle(ratios).toFixed(3), interval?.map((bound) => bound.toFixed(3)).join('-') ?? 'too few'];
}

function middle(values: readonly number[]): number {
  return median(values) ?? Number.NaN;
}

async function startReplica(
  opened: AsyncDisposableStack,
  name: string,
  env: NodeJS.ProcessEnv,
): Promise<Replica> {
  const port = await freePort();
  const dir = mkdtempSync(join(tmpdir(), 'lastseat-watched-'));
  opened.defer(() => rmSync(dir, { recursive: true, force: true }));
  const child = spawn(process.execPath, ['src/main.ts'], {
    cwd: SERVICE,
    stdio: 'ignore',
    env: {
      PATH: process.env['PATH'] ?? '',
      NODE_ENV: 'production',
      PORT: String(port),
      INSTANCE_ID: `watched-${port}`,
      LAB_MODE: 'on',
      DRAIN_DELAY_MS: '0',
      ...env,
    },
  });
  opened.defer(() => end(child));
  dieWithParent(child, dir);
  const origin = `http://127.0.0.1:${port}`;
  const deadline = performance.now() + START_TIMEOUT_MS;
  while (!(await isReady(origin))) {
    if (child.exitCode !== null || performance.now() > deadline) throw new Error(`no replica with ${name}`);
    await sleep(50);
  }
  return { name, origin, pid: child.pid ?? 0 };
}

async function isReady(origin: string): Promise<boolean> {
  const response = await fetch(`${origin}/readyz`).catch(() => null);
  await response?.text();
  return response?.ok ?? false;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}
