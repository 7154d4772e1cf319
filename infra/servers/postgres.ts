import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chown, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

import { Client } from 'pg';

import { chooseServerRuntime, images } from './choose-runtime.ts';
import { startContainerServer } from './container-server.ts';
import { ensureInstalled } from './install.ts';
import { startNativeServer } from './native-server.ts';
import type { StartOptions } from './redis.ts';
import type { Server, ServerKind } from './server.ts';
import { serviceUser } from './service-user.ts';
import type { ServiceUser } from './service-user.ts';

const settingsFile = new URL('../postgres/postgresql.conf', import.meta.url);

/** A Postgres of one's own; `url` is its superuser's. Durable as the real one is, so that figures are true. */
export async function startPostgres({ runtime, settings = {} }: StartOptions = {}): Promise<Server> {
  const conf = await readFile(settingsFile, 'utf8');
  const password = randomBytes(12).toString('hex');
  const kind: ServerKind = {
    name: 'postgres',
    url: (port) => `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
    probe: probePostgres,
  };
  if ((runtime ?? (await chooseServerRuntime())) === 'docker') {
    const target = '/etc/postgresql.conf';
    return startContainerServer({
      ...kind,
      image: images.postgres,
      containerPort: 5432,
      command: ['postgres', ...settingArgs({ config_file: target, ...settings })],
      environment: {
        POSTGRES_PASSWORD: password,
        POSTGRES_INITDB_ARGS: '--locale=C --encoding=UTF8 --no-sync',
      },
      files: [{ content: conf, target }],
    });
  }
  const { postgres } = await ensureInstalled(['postgres']);
  const user = serviceUser('postgres');
  return startNativeServer({
    ...kind,
    command: postgres.path,
    stopSignal: 'SIGINT', // "fast": does not wait for clients to leave
    user,
    async prepare(dir) {
      await initPostgres({
        postgresPath: postgres.path,
        dataDir: join(dir, 'data'),
        password,
        user,
        sync: false,
      });
      await writeFile(join(dir, 'postgresql.conf'), conf, { mode: 0o644 });
    },
    args: (dir, port) =>
      serverArgs(join(dir, 'data'), join(dir, 'postgresql.conf'), { port: String(port), ...settings }),
  });
}

/** Loopback only, and no Unix socket: nothing is left in /tmp or /var/run for other servers to trip over. */
export function serverArgs(dataDir: string, configFile: string, settings: Record<string, string>): string[] {
  const all = {
    config_file: configFile,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    ...settings,
  };
  return ['-D', dataDir, ...settingArgs(all)];
}

function settingArgs(settings: Record<string, string>): string[] {
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

// About a second on an idle machine.
const initTimeoutMs = 120_000;

/** Makes a new data directory whose superuser is `postgres`. Its parent must belong to `user`. */
export async function initPostgres(options: {
  postgresPath: string;
  dataDir: string;
  password: string;
  user: ServiceUser | null;
  /** Whether to wait until it is on the disk. */
  sync: boolean;
}): Promise<void> {
  const passwordFile = `${options.dataDir}.password`;
  await writeFile(passwordFile, options.password, { mode: 0o600 });
  try {
    if (options.user) await chown(passwordFile, options.user.uid, options.user.gid);
    await promisify(execFile)(
      join(dirname(options.postgresPath), 'initdb'),
      [
        '-D',
        options.dataDir,
        '--username=postgres',
        `--pwfile=${passwordFile}`,
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        '--locale=C',
        ...(options.sync ? [] : ['--no-sync']),
      ],
      { cwd: dirname(options.dataDir), timeout: initTimeoutMs, ...options.user },
    );
  } finally {
    await rm(passwordFile, { force: true });
  }
}

const probeTimeoutMs = 2_000;

/** Resolves when a query is answered: a port that accepts may still belong to a server that recovers. */
export async function probePostgres(url: string): Promise<void> {
  await ask(url, 'select 1');
}

/** Resolves when it answers and takes writes. */
export async function probePrimary(url: string): Promise<void> {
  const [row] = await ask(url, 'select pg_is_in_recovery() as is_replica');
  if (row?.['is_replica'] !== false) throw new Error('it is a replica');
}

async function ask(url: string, query: string): Promise<Record<string, unknown>[]> {
  const client = new Client({
    connectionString: url,
    connectionTimeoutMillis: probeTimeoutMs,
    query_timeout: probeTimeoutMs,
  });
  client.on('error', () => {}); // said again by whichever call is under way
  try {
    await client.connect();
    const { rows } = await client.query<Record<string, unknown>>(query);
    return rows;
  } finally {
    await client.end().catch(() => {});
  }
}
