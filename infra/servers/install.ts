import { spawn, spawnSync } from 'node:child_process';

import { findBinary, minVersionOf } from './binaries.ts';
import type { Binary, Program } from './binaries.ts';

const aptPackages: Record<Program, string> = {
  postgres: 'postgresql',
  'redis-server': 'redis-server',
  'valkey-server': 'valkey-server',
  nginx: 'nginx',
  patroni: 'patroni',
  etcd: 'etcd-server',
  haproxy: 'haproxy',
  tini: 'tini',
  prometheus: 'prometheus',
  'prometheus-nginx-exporter': 'prometheus-nginx-exporter',
  'prometheus-redis-exporter': 'prometheus-redis-exporter',
  'prometheus-postgres-exporter': 'prometheus-postgres-exporter',
};
// Homebrew has neither Patroni nor tini, and the exporters under other names or not at all.
const brewFormulas: Partial<Record<Program, string>> = {
  postgres: 'postgresql@17',
  'redis-server': 'redis',
  'valkey-server': 'valkey',
  nginx: 'nginx',
  etcd: 'etcd',
  haproxy: 'haproxy',
  prometheus: 'prometheus',
};

// All three servers from a slow mirror take a few minutes; ten mean that the mirror does not answer.
const installTimeoutMs = 600_000;

export type Report = (line: string) => void;

/**
 * Finds the programs, and installs those that are missing where apt-get (as root or with sudo) or brew can.
 * @throws Error one line that says what to install, when this machine cannot do it by itself
 */
export async function ensureInstalled<P extends Program>(
  programs: readonly P[],
  report: Report = toStderr,
): Promise<Record<P, Binary>> {
  const missing = programs.filter((program) => findBinary(program) === null);
  if (missing.length > 0) {
    const installer = findInstaller(missing);
    if (installer === null) throw new Error(howToInstall(missing));
    report(`installing ${missing.join(', ')} with ${installer.name} ...`);
    await run(installer);
  }
  const found = programs.map((program) => {
    const binary = findBinary(program);
    if (binary === null) throw new Error(howToInstall([program]));
    return [program, binary] as const;
  });
  return Object.fromEntries(found) as Record<P, Binary>;
}

export function toStderr(line: string): void {
  process.stderr.write(`${line}\n`);
}

interface Installer {
  name: string;
  command: string;
  args: string[];
}

function findInstaller(programs: readonly Program[]): Installer | null {
  if (succeeds('apt-get', ['--version'])) {
    const packages = programs.map((program) => aptPackages[program]);
    const args = ['-c', aptScript, 'install', ...packages];
    if (process.getuid?.() === 0) return { name: 'apt-get', command: 'sh', args };
    // -n: never ask for a password, nobody may be there to type it.
    if (succeeds('sudo', ['-n', 'true'])) {
      return { name: 'sudo apt-get', command: 'sudo', args: ['-n', 'sh', ...args] };
    }
  }
  const formulas = formulasOf(programs);
  if (formulas !== null && process.getuid?.() !== 0 && succeeds('brew', ['--version'])) {
    return { name: 'brew', command: 'brew', args: ['install', '--quiet', ...formulas] };
  }
  return null;
}

// Debian starts what it installs, now and at each boot, on the ports that people expect to be free. We want the
// programs only: policy-rc.d denies the start, no default cluster is made, and the services are left disabled.
// What was there before us (a policy, a setting of clusters) is left as it was.
// One at a time: test files that find something missing at the same moment would meet at apt's own lock, and fail.
const aptScript = `
set -eu
exec 9> /run/lock/lastseat-install
flock --wait 300 9
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\\nexit 101\\n' > "$policy"
  chmod 755 "$policy"
fi
clusters=/etc/postgresql-common/createcluster.conf
if [ ! -e "$clusters" ]; then
  mkdir -p "\${clusters%/*}"
  echo 'create_main_cluster = false' > "$clusters"
fi
# Without a network apt would try each mirror four times.
patience='-o Acquire::Retries=1 -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20'
apt-get update -qq $patience
apt-get install -y -qq --no-install-recommends $patience -o DPkg::Lock::Timeout=300 \\
  -o Dpkg::Options::=--force-confold "$@"
for service in "$@"; do
  systemctl disable "$service" > /dev/null 2>&1 || true
done
`;

function run({ name, command, args }: Installer): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: installTimeoutMs });
    let output = '';
    const keepTail = (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-4_000);
    };
    child.stdout.on('data', keepTail);
    child.stderr.on('data', keepTail);
    child.once('error', reject);
    child.once('close', (code, killedBy) => {
      if (code === 0) resolve();
      else reject(new Error(`${name} failed (${killedBy ?? `exit code ${code}`}):\n${output.trim()}`));
    });
  });
}

function howToInstall(programs: readonly Program[]): string {
  const wanted = programs.map((program) => `${program} ${minVersionOf(program)} or newer`).join(', ');
  const packages = programs.map((program) => aptPackages[program]).join(' ');
  const formulas = formulasOf(programs);
  const brew = formulas === null ? '' : `, \`brew install ${formulas.join(' ')}\``;
  return (
    `Not found: ${wanted}. Install with \`sudo apt-get install ${packages}\`${brew} ` +
    "or this system's own packages, or start a Docker engine."
  );
}

function formulasOf(programs: readonly Program[]): string[] | null {
  const formulas = programs.map((program) => brewFormulas[program]);
  return formulas.includes(undefined) ? null : formulas.filter((formula) => formula !== undefined);
}

function succeeds(command: string, args: string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore', timeout: 30_000 }).status === 0;
}
