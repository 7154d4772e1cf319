import { chownSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import type { Binary } from '../../servers/binaries.ts';
import type { Part } from '../parts.ts';
import { makePrivateDir, ownerOf, repository } from '../places.ts';
import type { Secrets } from '../secrets.ts';
import { GROUP, membersOf } from './members.ts';

interface Options {
  binaries: Record<'postgres' | 'patroni' | 'etcd' | 'tini', Binary>;
  dataDir: string;
  portOf: (name: string) => number;
  secrets: Secrets;
}

/** The name under which a member's second port is remembered. */
export const peerPortOf = (etcd: string) => `${etcd}-peers`;
export const restPortOf = (member: string) => `${member}-health`;

/** Three small servers that agree on who is the primary; Patroni asks them. */
export function etcdParts({ binaries, dataDir, portOf }: Options): Part[] {
  const names = membersOf('etcd');
  const peer = (name: string) => `http://127.0.0.1:${portOf(peerPortOf(name))}`;
  return names.map((name) => {
    const dir = join(dataDir, name);
    const user = ownerOf(dir, 'etcd', 'nobody');
    makePrivateDir(dir, user);
    const url = `http://127.0.0.1:${portOf(name)}`;
    const options = {
      name,
      'data-dir': join(dir, 'data'),
      'listen-client-urls': url,
      'advertise-client-urls': url,
      'listen-peer-urls': peer(name),
      'initial-advertise-peer-urls': peer(name),
      'initial-cluster': names.map((other) => `${other}=${peer(other)}`).join(','),
      'initial-cluster-token': GROUP,
      'log-level': 'warn',
      // Patroni writes every few seconds; without it etcd keeps every version for ever.
      'auto-compaction-retention': '1h',
    };
    return {
      name,
      command: binaries.etcd.path,
      args: Object.entries(options).map(([option, value]) => `--${option}=${value}`),
      cwd: dir,
      env: {},
      user,
      stopSignal: 'SIGTERM',
      settings: '',
      url,
      probe: (at) => expectOk(`${at}/health`),
    };
  });
}

/** How long a primary may be silent before another member takes over, in seconds: what Patroni's own rule leaves room for. */
const LEADER_TTL_S = 20;

/** Three Postgres servers, each under a Patroni that makes it the primary or a replica of it. */
export function patroniParts({ binaries, dataDir, portOf, secrets }: Options): Part[] {
  const settings = readFileSync(join(repository, 'infra/postgres/postgresql.conf'), 'utf8');
  return membersOf('postgres').map((name) => {
    const dir = join(dataDir, name);
    const user = ownerOf(dir, 'postgres');
    makePrivateDir(dir, user);
    const customConf = join(dir, 'postgresql.conf');
    writeFileSync(customConf, settings, { mode: 0o644 });
    const rest = `127.0.0.1:${portOf(restPortOf(name))}`;
    const address = `127.0.0.1:${portOf(name)}`;
    const configuration = JSON.stringify({
      scope: GROUP,
      name,
      restapi: { listen: rest, connect_address: rest },
      etcd3: { hosts: membersOf('etcd').map((etcd) => `127.0.0.1:${portOf(etcd)}`) },
      bootstrap: {
        dcs: {
          ttl: LEADER_TTL_S,
          loop_wait: 5,
          retry_timeout: 5,
          // A commit that was answered is on two disks, and only a member that has it may take over.
          synchronous_mode: true,
          postgresql: {
            use_pg_rewind: true,
            // Patroni keeps these equal on all members, and looks for them here only.
            parameters: { max_connections: /^max_connections = (\d+)/m.exec(settings)?.[1] },
          },
        },
        initdb: [{ encoding: 'UTF8' }, { locale: 'C' }, { auth: 'scram-sha-256' }, 'data-checksums'],
      },
      postgresql: {
        listen: address,
        connect_address: address,
        data_dir: join(dir, 'data'),
        // The programs beside it too, of which a link in PATH knows nothing.
        bin_dir: dirname(realpathSync(binaries.postgres.path)),
        custom_conf: customConf,
        pgpass: join(dir, 'pgpass'),
        parameters: { unix_socket_directories: '' },
        authentication: {
          superuser: { username: 'postgres', password: secrets.admin },
          replication: { username: 'replicator', password: secrets.replication },
        },
        pg_hba: [
          'host all all 127.0.0.1/32 scram-sha-256',
          'host replication replicator 127.0.0.1/32 scram-sha-256',
        ],
        // A primary that was lost comes back as a replica by itself; what it alone had was never answered.
        remove_data_directory_on_rewind_failure: true,
        remove_data_directory_on_diverged_timelines: true,
      },
      watchdog: { mode: 'off' },
    });
    // JSON is YAML, which is what Patroni reads.
    const path = join(dir, 'patroni.yml');
    writeFileSync(path, configuration, { mode: 0o600 });
    if (user) chownSync(path, user.uid, user.gid);
    return {
      name,
      // Patroni lets go of the Postgres that it starts. tini takes it in, so that whoever stops, pauses or kills this part
      // finds it below it.
      command: binaries.tini.path,
      args: ['-s', '--', binaries.patroni.path, path],
      cwd: dir,
      env: { LC_ALL: 'C', PATH: '/usr/local/bin:/usr/bin:/bin' },
      user,
      stopSignal: 'SIGTERM',
      settings: configuration + settings,
      url: `http://${rest}`,
      probe: (at) => expectOk(`${at}/health`),
    };
  });
}

/** All members follow the primary, and one of them has every commit: from now on one server may be lost. */
export async function assertPostgresRedundant(portOf: Options['portOf']): Promise<void> {
  const [first = ''] = membersOf('postgres');
  const response = await fetch(`http://127.0.0.1:${portOf(restPortOf(first))}/cluster`, {
    signal: AbortSignal.timeout(askTimeoutMs),
  });
  const { members } = (await response.json()) as { members: { role: string; state: string }[] };
  const has = (role: string) => members.some((member) => member.role === role);
  // Patroni 3 says "running" of a replica that streams, Patroni 4 "streaming".
  const runs = members.filter(({ state }) => state === 'running' || state === 'streaming');
  if (has('leader') && has('sync_standby') && runs.length === 3) return;
  throw new Error(`of Postgres run ${members.map(({ role, state }) => `${role}: ${state}`).join(', ')}`);
}

const askTimeoutMs = 2_000;

async function expectOk(url: string): Promise<void> {
  const response = await fetch(url, { signal: AbortSignal.timeout(askTimeoutMs) });
  const body = await response.text();
  if (!response.ok) throw new Error(`${url} says ${response.status} ${body}`);
}
