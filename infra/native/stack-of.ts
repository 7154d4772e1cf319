import { membersOf } from '../redundant/members.ts';
import type { Stack } from '../stack/runtime.ts';
import { database } from './postgres.ts';
import type { Backends } from './replicas.ts';
import { loadSecrets } from './secrets.ts';
import type { State } from './state.ts';
import { PROMETHEUS } from './watching/members.ts';

/** What a stack looks like from outside. */
export function stackOf(state: State): Stack {
  const { databaseUrl, redisUrl, quorumUrls } = backendsOf(state);
  return {
    runtime: 'native',
    url: `http://127.0.0.1:${state.ports['nginx']}`,
    postgresUrl: databaseUrl,
    redisUrl,
    quorumUrls,
    ha: isRedundant(state),
    watching: watchingOf(state),
    replicas: state.wanted?.replicas ?? 0,
    settings: state.wanted?.settings ?? {},
  };
}

export function isRedundant({ parts }: State): boolean {
  return SENTINELS.some((name) => name in parts);
}

function watchingOf({ parts, ports }: State): Stack['watching'] {
  if (!(PROMETHEUS in parts)) return null;
  return { prometheusUrl: `http://127.0.0.1:${ports[PROMETHEUS]}`, grafanaUrl: null };
}

const SENTINELS = membersOf('sentinel');

export function backendsOf(state: State): Backends {
  const secrets = loadSecrets(state.dataDir ?? '');
  const redisAt = (name: string) => `redis://127.0.0.1:${state.ports[name]}`;
  const quorum = Object.keys(state.parts).filter((name) => name.startsWith('quorum-'));
  return {
    databaseUrl: `postgres://${database}:${secrets.app}@127.0.0.1:${state.ports['postgres']}/${database}`,
    redisUrl: redisAt('redis'),
    sentinels: isRedundant(state) ? SENTINELS.map((name) => `127.0.0.1:${state.ports[name]}`) : [],
    quorumUrls: quorum.sort().map(redisAt),
    bookingKey: secrets.bookingKey,
  };
}
