import { askRedis } from '../../servers/redis.ts';
import { GROUP, membersOf } from './members.ts';
import { restPortOf } from './postgres.ts';

type PortOf = (name: string) => number;

/** The member that takes writes now; null while none does. */
export async function findPrimary(kind: 'redis' | 'postgres', portOf: PortOf): Promise<string | null> {
  return kind === 'redis' ? findRedisPrimary(portOf) : findPostgresPrimary(portOf);
}

/** The one that most sentinels name, if it agrees: a primary that was frozen takes itself for one a while longer. */
async function findRedisPrimary(portOf: PortOf): Promise<string | null> {
  const ask = (name: string, line: string) =>
    askRedis(`redis://127.0.0.1:${portOf(name)}`, line).catch(() => '');
  const watchers = membersOf('sentinel');
  const named = await Promise.all(
    watchers.map((name) => ask(name, `SENTINEL GET-MASTER-ADDR-BY-NAME ${GROUP}`)),
  );
  const isNamed = (name: string): boolean => {
    const votes = named.filter((reply) => reply.includes(`\r\n${portOf(name)}\r\n`));
    return votes.length > watchers.length / 2;
  };
  const name = membersOf('redis').find(isNamed);
  return name !== undefined && (await ask(name, 'ROLE')).includes('master') ? name : null;
}

async function findPostgresPrimary(portOf: PortOf): Promise<string | null> {
  const names = membersOf('postgres');
  const found = await Promise.all(
    names.map((name) =>
      ask(`http://127.0.0.1:${portOf(restPortOf(name))}/primary`).then(
        ({ ok }) => ok,
        () => false, // it is gone, or frozen
      ),
    ),
  );
  return names.find((_, index) => found[index]) ?? null;
}

/** Patroni makes another member the primary, which loses nothing, and returns when it is. */
export async function handOverPostgres(leader: string, portOf: PortOf): Promise<void> {
  const { ok, status, said } = await ask(`http://127.0.0.1:${portOf(restPortOf(leader))}/switchover`, {
    method: 'POST',
    body: JSON.stringify({ leader }),
    signal: AbortSignal.timeout(HAND_OVER_MS),
  });
  if (!ok) throw new Error(`Patroni says ${status} ${said}`);
}

const ASK_MS = 2_000;
// A checkpoint, and two turns of Patroni's loop.
const HAND_OVER_MS = 60_000;

async function ask(url: string, options: RequestInit = {}) {
  const response = await fetch(url, { signal: AbortSignal.timeout(ASK_MS), ...options });
  return { ok: response.ok, status: response.status, said: await response.text() };
}
