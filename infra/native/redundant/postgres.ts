import { chownSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { parse } from 'yaml';

import { GROUP, membersOf } from '../../redundant/members.ts';
import type { Binary } from '../../servers/binaries.ts';
import type { Part } from '../parts.ts';
import { makePrivateDir, ownerOf, repository } from '../places.ts';
import type { Secrets } from '../secrets.ts';

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

/** Three Postgres servers, each under a Patroni that makes it the primary or a replica of it. */
export function patroniParts({ binaries, dataDir, portOf, secrets }: Options): Part[] {
  const settings = readFileSync(join(repository, 'infra/postgres/postgresql.conf'), 'utf8');
  const shared = parse(readFileSync(join(repository, 'infra/redundant/patroni/all.yml'), 'utf8')) as {
    postgresql: object;
  };
  return membersOf('postgres').map((name) => {
    const dir = join(dataDir, name);
    const user = ownerOf(dir, 'postgres');
    makePrivateDir(dir, user);
    const customConf = join(dir, 'postgresql.conf');
    writeFileSync(customConf, settings, { mode: 0o644 });
    const rest = `127.0.0.1:${portOf(restPortOf(name))}`;
    const address = `127.0.0.1:${portOf(name)}`;
    const configuration = JSON.stringify({
      ...shared,
      name,
      restapi: { listen: rest, connect_address: rest },
      etcd3: { hosts: membersOf('etcd').map((etcd) => `127.0.0.1:${portOf(etcd)}`) },
      postgresql: {
        ...shared.postgresql,
        listen: address,
        connect_address: address,
        data_dir: join(dir, 'data'),
        // The programs beside it too, of which a link in PATH knows nothing.
        bin_dir: dirname(realpathSync(binaries.postgres.path)),
        custom_conf: customConf,
        pgpass: join(dir, 'pgpass'),
        authentication: {
          superuser: { username: 'postgres', password: secrets.admin },
          replication: { username: 'replicator', password: secrets.replication },
        },
        pg_hba: [
          'host all all 127.0.0.1/32 scram-sha-256',
          'host replication replicator 127.0.0.1/32 scram-sha-256',
        ],
      },
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

const askTimeoutMs = 2_000;

async function expectOk(url: string): Promise<void> {
  const response = await fetch(url, { signal: AbortSignal.timeout(askTimeoutMs) });
  const body = await response.text();
  if (!response.ok) throw new Error(`${url} says ${response.status} ${body}`);
}
