import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { settableClock } from '../clocks/index.ts';
import { GROUP } from '../redundant/members.ts';
import type { ServiceSettings } from '../stack/service-settings.ts';
import { UserError } from '../stack/user-error.ts';
import type { Part } from './parts.ts';
import { repository } from './places.ts';
import { quorumName } from './redis.ts';

/** The service's entry points, and its ways to the other parts; a test may put others in their place. */
export interface App {
  cwd: string;
  migrate: string;
  main: string;
  ways?: Ways | undefined;
  /** The folder that the clocks of the replicas are read from; left out where they have the machine's. */
  clocks?: string | undefined;
}

/** How connections from one part to another are led through what can strike them. */
export interface Ways {
  /** Where `from` is to connect in order to reach the server `to`, which listens at `port`. */
  to(from: string, to: string, port: number): Promise<number>;
  /** Where the replica is to listen if nginx asks for it at `place`. */
  behind(replica: string, place: number): Promise<number>;
}

export const bookingApp: App = {
  cwd: join(repository, 'services/booking'),
  migrate: 'src/migrate.ts',
  main: 'src/main.ts',
};

export interface Backends {
  databaseUrl: string;
  redisUrl: string;
  /** host:port of each; with any, the replicas ask them where Redis is. */
  sentinels: string[];
  quorumUrls: string[];
  bookingKey: string;
}

/** One replica of the service. The settings are those of docker-compose.yml. */
export async function replicaPart(options: {
  app: App;
  number: number;
  /** Where nginx asks for it. */
  place: number;
  /** Where Prometheus finds it, on loopback. */
  metricsPort: number | null;
  backends: Backends;
  settings: ServiceSettings;
  labStrategies?: readonly string[];
}): Promise<Part> {
  const { app, number, place, metricsPort, settings, labStrategies = [] } = options;
  const name = replicaName(number);
  const backends = await backendsBy(app.ways, name, options.backends);
  const clock = app.clocks === undefined ? undefined : settableClock(app.clocks);
  const port = (await app.ways?.behind(name, place)) ?? place;
  return {
    name,
    command: process.execPath,
    args: [app.main],
    cwd: app.cwd,
    env: {
      ...environment(backends, clock?.nodeOptions),
      ...clock?.env,
      HOST: '127.0.0.1',
      PORT: String(port),
      ...(metricsPort === null ? {} : { METRICS_PORT: String(metricsPort) }),
      INSTANCE_ID: name,
      LAB_MODE: 'on',
      BOOKING_KEY: backends.bookingKey,
      ...settings,
      ...(labStrategies.length > 0 && { LAB_STRATEGIES: labStrategies.join(',') }),
    },
    user: null,
    stopSignal: 'SIGTERM',
    settings: '',
    url: `http://127.0.0.1:${port}`,
    probe: probeReady,
  };
}

/** The addresses as a replica is to know them. */
async function backendsBy(ways: Ways | undefined, name: string, backends: Backends): Promise<Backends> {
  if (ways === undefined) return backends;
  const { databaseUrl, redisUrl, sentinels, quorumUrls } = backends;
  const through = async (address: string, server: string): Promise<string> => {
    const url = new URL(address);
    url.port = String(await ways.to(name, server, Number(url.port)));
    return url.href;
  };
  return {
    ...backends,
    databaseUrl: await through(databaseUrl, 'postgres'),
    // Where sentinels say which one is the primary, a replica goes to that one and to no proxy.
    redisUrl: sentinels.length > 0 ? redisUrl : await through(redisUrl, 'redis'),
    quorumUrls: await Promise.all(quorumUrls.map((url, index) => through(url, quorumName(index + 1)))),
  };
}

export function replicaName(number: number): string {
  return `booking-${number}`;
}

/** The number in a replica's name, or null for every other part. */
export function replicaNumber(name: string): number | null {
  const number = /^booking-(\d+)$/.exec(name)?.[1];
  return number === undefined ? null : Number(number);
}

// Well above what the migrations take on an empty database; one that waits longer for a lock will not get it.
const migrateTimeoutMs = 60_000;

/** Brings the schema up to date; running it again changes nothing. */
export async function migrate(app: App, backends: Backends): Promise<void> {
  try {
    await promisify(execFile)(process.execPath, [app.migrate], {
      cwd: app.cwd,
      env: environment(backends),
      timeout: migrateTimeoutMs,
    });
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(`the migrations failed:\n${`${stdout}${stderr}`.trim().slice(-2_000)}`, { cause: error });
  }
}

// Nothing else of the caller's environment gets through: what runs is the same whoever ran `make up`.
function environment(
  { databaseUrl, redisUrl, sentinels, quorumUrls }: Backends,
  nodeOptions = '',
): Record<string, string> {
  return {
    NODE_ENV: 'production',
    NODE_OPTIONS: `--max-semi-space-size=64 ${nodeOptions}`.trimEnd(), // as in the image
    DATABASE_URL: databaseUrl,
    ...(sentinels.length === 0
      ? { REDIS_URL: redisUrl }
      : { REDIS_SENTINELS: sentinels.join(','), REDIS_PRIMARY_NAME: GROUP }),
    QUORUM_REDIS_URLS: quorumUrls.join(','),
  };
}

const probeTimeoutMs = 2_000;

/** @throws UserError that no waiting changes: nobody but `make up` migrates a database. */
export async function probeReady(url: string): Promise<void> {
  const response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(probeTimeoutMs) });
  const body = await response.text();
  const [lacking] = /the schema lacks [\w, -]+/.exec(body) ?? [];
  if (lacking !== undefined)
    throw new UserError(`what runs was started before newer code was here (${lacking}): make up migrates it`);
  if (!response.ok) throw new Error(`not ready: ${response.status} ${body}`);
}
