import { GROUP, membersOf } from './members.ts';

/** How the members are asked, which the ways of running have each their own way to do. Whoever is gone or frozen fails. */
export interface Members {
  /** One command to a Redis or a sentinel; the reply in whichever form, a part of it to a line. */
  redis(name: string, command: string): Promise<string>;
  /** What the sentinels call that Redis: by a line of their reply it is known. */
  lineOf(name: string): string;
  /** One question to the Patroni of a member of Postgres. */
  patroni(name: string, path: string, change?: { body: string; limitMs: number }): Promise<Said>;
}

export interface Said {
  ok: boolean;
  said: string;
}

/** The member that takes writes now; null while none does. */
export async function findPrimary(kind: 'redis' | 'postgres', members: Members): Promise<string | null> {
  return kind === 'redis' ? findRedisPrimary(members) : findPostgresPrimary(members);
}

/** The one that most sentinels name, if it agrees: a primary that was frozen takes itself for one a while longer. */
async function findRedisPrimary({ redis, lineOf }: Members): Promise<string | null> {
  const ask = (name: string, command: string) => redis(name, command).catch(() => '');
  const watchers = membersOf('sentinel');
  const named = await Promise.all(
    watchers.map((name) => ask(name, `SENTINEL GET-MASTER-ADDR-BY-NAME ${GROUP}`)),
  );
  const isNamed = (name: string): boolean => {
    const votes = named.filter((reply) => reply.split(/\r?\n/).includes(lineOf(name)));
    return votes.length > watchers.length / 2;
  };
  const name = membersOf('redis').find(isNamed);
  return name !== undefined && (await ask(name, 'ROLE')).includes('master') ? name : null;
}

async function findPostgresPrimary({ patroni }: Members): Promise<string | null> {
  const names = membersOf('postgres');
  const found = await Promise.all(
    names.map((name) =>
      patroni(name, '/primary').then(
        ({ ok }) => ok,
        () => false,
      ),
    ),
  );
  return names.find((_, index) => found[index]) ?? null;
}

// A checkpoint, and two turns of Patroni's loop.
const HAND_OVER_MS = 60_000;

/** Patroni makes another member the primary, which loses nothing, and returns when it is. */
export async function handOverPostgres(leader: string, { patroni }: Members): Promise<void> {
  const change = { body: JSON.stringify({ leader }), limitMs: HAND_OVER_MS };
  const { ok, said } = await patroni(leader, '/switchover', change);
  if (!ok) throw new Error(`Patroni says ${said}`);
}

/** Both replicas of each primary follow it: from now on one server may be lost. */
export async function assertRedundant(members: Members): Promise<void> {
  const both = await Promise.allSettled([assertRedisRedundant(members), assertPostgresRedundant(members)]);
  for (const one of both) if (one.status === 'rejected') throw one.reason;
}

/** Both replicas follow, and the sentinels know them and one another. */
async function assertRedisRedundant({ redis }: Members): Promise<void> {
  const [watchers, servers] = await Promise.all([
    Promise.all(membersOf('sentinel').map((name) => redis(name, 'INFO sentinel'))),
    Promise.all(membersOf('redis').map((name) => redis(name, 'INFO replication'))),
  ]);
  if (!watchers.every((info) => info.includes(',slaves=2,sentinels=3'))) {
    throw new Error('the sentinels do not all know both replicas and one another');
  }
  if (servers.filter((info) => info.includes('master_link_status:up')).length !== 2) {
    throw new Error('not both replicas follow the primary');
  }
}

/** All members follow the primary, and one of them has every commit: which one Patroni has chosen, or it may be either. */
async function assertPostgresRedundant({ patroni }: Members): Promise<void> {
  const [first = ''] = membersOf('postgres');
  const { said } = await patroni(first, '/cluster');
  const { members } = JSON.parse(said) as { members: { role: string; state: string }[] };
  const of = (role: string) => members.filter((member) => member.role === role).length;
  // Patroni 3 says "running" of a replica that streams, Patroni 4 "streaming".
  const runs = members.filter(({ state }) => state === 'running' || state === 'streaming');
  const isSafe = of('sync_standby') === 1 || of('quorum_standby') === 2;
  if (of('leader') === 1 && isSafe && runs.length === 3) return;
  throw new Error(`of Postgres run ${members.map(({ role, state }) => `${role}: ${state}`).join(', ')}`);
}
