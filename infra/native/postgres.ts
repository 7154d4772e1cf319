import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { Client, escapeIdentifier, escapeLiteral } from 'pg';

import type { Binary } from '../servers/binaries.ts';
import { initPostgres, probePostgres, serverArgs } from '../servers/postgres.ts';
import { findProcess } from '../servers/processes.ts';
import { UserError } from '../stack/user-error.ts';
import type { Part } from './parts.ts';
import { makePrivateDir, ownerOf, repository } from './places.ts';
import type { Secrets } from './secrets.ts';

export const database = 'lastseat';
export const watchingRole = 'watching';

/** Postgres with its data directory made if there is none. */
export async function postgresPart(options: {
  binary: Binary;
  dataDir: string;
  port: number;
  secrets: Secrets;
}): Promise<Part> {
  const { binary, port, secrets } = options;
  const dir = join(options.dataDir, 'postgres');
  const user = ownerOf(dir, 'postgres');
  makePrivateDir(dir, user);
  const data = join(dir, 'data');
  await ensureData(data, binary, secrets, user);
  forgetUnreaped(data);
  // Its own copy: its user may not be able to read the repository.
  const settings = readFileSync(join(repository, 'infra/postgres/postgresql.conf'), 'utf8');
  const settingsPath = join(dir, 'postgresql.conf');
  writeFileSync(settingsPath, settings, { mode: 0o644 });
  return {
    name: 'postgres',
    command: binary.path,
    args: serverArgs(data, settingsPath, { port: String(port) }),
    cwd: dir,
    env: { LC_ALL: 'C' }, // without any, it refuses to start on macOS
    user,
    stopSignal: 'SIGINT', // "fast": ends sessions instead of waiting until they leave
    settings,
    url: `postgres://postgres:${secrets.admin}@127.0.0.1:${port}/postgres`,
    probe: probePostgres,
  };
}

async function ensureData(data: string, binary: Binary, secrets: Secrets, user: Part['user']): Promise<void> {
  const found = majorVersionOf(data);
  const wanted = binary.version.split('.')[0];
  if (found === wanted) return;
  if (found !== null) {
    throw new UserError(
      `the data in ${data} were made by PostgreSQL ${found}, but this machine now has ${wanted}: ` +
        `install ${found} again, or throw them away with \`make clean\``,
    );
  }
  // Under another name until complete: what an interrupted first start leaves behind is not mistaken for data.
  const incomplete = `${data}.new`;
  rmSync(incomplete, { recursive: true, force: true });
  await initPostgres({
    postgresPath: binary.path,
    dataDir: incomplete,
    password: secrets.admin,
    user,
    sync: true,
  });
  renameSync(incomplete, data);
}

/**
 * A server that was killed and that nobody has reaped yet still has its number: the next one takes it for alive, and
 * refuses to start. Not every first process of a container reaps at once, or at all.
 */
export function forgetUnreaped(data: string): void {
  const path = join(data, 'postmaster.pid');
  if (!existsSync(path)) return;
  const pid = Number(readFileSync(path, 'utf8').split('\n')[0]);
  if (findProcess(pid) === null && hasNumber(pid)) rmSync(path);
}

function hasNumber(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function majorVersionOf(data: string): string | null {
  try {
    return readFileSync(join(data, 'PG_VERSION'), 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/**
 * The role of the service, which owns its database and nothing else, and the one of whoever watches, which sees what the
 * server does and no data. Running it again changes nothing.
 */
export async function ensureRoles(adminUrl: string, secrets: Secrets): Promise<void> {
  const client = new Client({ connectionString: adminUrl, query_timeout: 30_000 });
  await client.connect();
  try {
    const exists = async (query: string, name: string) => (await client.query(query, [name])).rowCount === 1;
    const ensureRole = async (name: string, password: string) => {
      const role = escapeIdentifier(name);
      if (!(await exists('select from pg_roles where rolname = $1', name))) {
        await client.query(`create role ${role} login`);
      }
      await client.query(`alter role ${role} password ${escapeLiteral(password)}`);
    };
    await ensureRole(database, secrets.app);
    if (!(await exists('select from pg_database where datname = $1', database))) {
      await client.query(`create database ${escapeIdentifier(database)} owner ${escapeIdentifier(database)}`);
    }
    await ensureRole(watchingRole, secrets.watching);
    await client.query(`grant pg_monitor to ${escapeIdentifier(watchingRole)}`);
  } finally {
    await client.end();
  }
}
