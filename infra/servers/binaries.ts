import { spawnSync } from 'node:child_process';
import { accessSync, constants, readdirSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

export type Program =
  | 'postgres'
  | 'redis-server'
  | 'valkey-server'
  | 'nginx'
  | 'patroni'
  | 'etcd'
  | 'haproxy'
  | 'tini'
  | 'prometheus'
  | 'prometheus-nginx-exporter'
  | 'prometheus-redis-exporter'
  | 'prometheus-postgres-exporter';

export interface Binary {
  path: string;
  version: string;
}

interface Requirement {
  minVersion: readonly [major: number, minor: number];
  versionFlag: string;
  /** Programs that must lie beside it; a lone `postgres` without its `initdb` is of no use. */
  companions: readonly string[];
}

export const requirements: Record<Program, Requirement> = {
  postgres: { minVersion: [14, 0], versionFlag: '--version', companions: ['initdb'] },
  'redis-server': { minVersion: [7, 0], versionFlag: '--version', companions: [] },
  'valkey-server': { minVersion: [7, 2], versionFlag: '--version', companions: [] },
  nginx: { minVersion: [1, 18], versionFlag: '-v', companions: [] },
  patroni: { minVersion: [3, 0], versionFlag: '--version', companions: [] },
  etcd: { minVersion: [3, 4], versionFlag: '--version', companions: [] },
  haproxy: { minVersion: [2, 4], versionFlag: '-v', companions: [] },
  tini: { minVersion: [0, 18], versionFlag: '--version', companions: [] },
  prometheus: { minVersion: [2, 42], versionFlag: '--version', companions: ['promtool'] },
  'prometheus-nginx-exporter': { minVersion: [0, 11], versionFlag: '--version', companions: [] },
  'prometheus-redis-exporter': { minVersion: [1, 45], versionFlag: '--version', companions: [] },
  'prometheus-postgres-exporter': { minVersion: [0, 11], versionFlag: '--version', companions: [] },
};

/** A server program exists on this machine, but every copy of it is too old. */
export class TooOldError extends Error {
  override name = 'TooOldError';
}

/**
 * The first copy of the program that is new enough: from PATH, then from where Debian and Homebrew hide it.
 * @returns null when there is none at all
 * @throws TooOldError when there are only older ones
 */
export function findBinary(program: Program): Binary | null {
  let tooOld: Binary | undefined;
  for (const dir of searchedDirectories(program)) {
    const binary = inspect(program, dir);
    if (binary === null) continue;
    if (isNewEnough(binary.version, requirements[program].minVersion)) return binary;
    tooOld ??= binary;
  }
  if (tooOld) {
    throw new TooOldError(
      `${program} ${tooOld.version} (${tooOld.path}) is too old: ${minVersionOf(program)} or newer is needed`,
    );
  }
  return null;
}

export function minVersionOf(program: Program): string {
  const [major, minor] = requirements[program].minVersion;
  return minor === 0 ? String(major) : `${major}.${minor}`;
}

function searchedDirectories(program: Program): string[] {
  const path = (process.env['PATH'] ?? '').split(delimiter).filter((dir) => dir !== '');
  const brew = ['/opt/homebrew', '/usr/local', '/home/linuxbrew/.linuxbrew'];
  const sbin = ['/usr/local/sbin', '/usr/sbin', '/sbin', ...brew.map((prefix) => `${prefix}/bin`)];
  if (program !== 'postgres') return [...path, ...sbin];
  // Debian keeps the servers out of PATH; Homebrew does so with versioned formulas (postgresql@17).
  const debian = versionedDirectories('/usr/lib/postgresql', /^(\d+)$/);
  const kegs = brew.flatMap((prefix) => versionedDirectories(`${prefix}/opt`, /^postgresql@(\d+)$/));
  return [...path, ...debian, ...kegs, ...sbin];
}

/** The bin directories of the versions below a directory, newest first. */
function versionedDirectories(parent: string, pattern: RegExp): string[] {
  try {
    return readdirSync(parent)
      .map((name) => ({ name, version: Number(pattern.exec(name)?.[1]) }))
      .filter(({ version }) => version > 0)
      .sort((a, b) => b.version - a.version)
      .map(({ name }) => join(parent, name, 'bin'));
  } catch {
    return [];
  }
}

function inspect(program: Program, dir: string): Binary | null {
  const { versionFlag, companions } = requirements[program];
  const path = join(dir, program);
  if (![program, ...companions].every((name) => isExecutable(join(dir, name)))) return null;
  const version = versionOf(path, versionFlag);
  return version === undefined ? null : { path, version };
}

/**
 * By their path and the time of their last change. Nothing else of this process runs while a program is asked, and Patroni
 * takes seconds on a busy machine: a load in this process would stand still whenever a server is started again.
 */
const known = new Map<string, string>();

function versionOf(path: string, versionFlag: string): string | undefined {
  const key = `${path} ${statSync(path).mtimeMs}`;
  const version = known.get(key) ?? askVersion(path, versionFlag);
  if (version !== undefined) known.set(key, version);
  return version;
}

function askVersion(path: string, versionFlag: string): string | undefined {
  const { stdout, stderr } = spawnSync(path, [versionFlag], { encoding: 'utf8', timeout: 10_000 });
  // "postgres (PostgreSQL) 15.4 (Debian ...)", "Redis server v=7.0.15 sha=...", "Valkey server v=8.0.1 ...",
  // "nginx version: nginx/1.22.1", "patroni 3.0.2", "etcd Version: 3.4.23", "HAProxy version 2.6.12-1 ...", "tini version 0.19.0",
  // "prometheus, version 2.42.0+ds ...", "NGINX Prometheus Exporter version=0.11.0-1 ...", "Redis Metrics Exporter 1.45.0 ..."
  return /(?:PostgreSQL\) |v=|nginx\/|patroni |etcd Version: |HAProxy version |tini version |, version |Exporter version=|Metrics Exporter v?)(\d+(?:\.\d+)*)/.exec(
    `${stdout}${stderr}`,
  )?.[1];
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function isNewEnough(version: string, [minMajor, minMinor]: readonly [number, number]): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > minMajor || (major === minMajor && minor >= minMinor);
}
