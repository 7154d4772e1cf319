import type { Redis } from 'ioredis';

import { clientOf } from './holder-id.ts';
import { lockKey } from './lock-name.ts';
import { withTimeout, type RedisClient } from './redis-script.ts';
import type { LockInfo } from './web-locks.ts';

/** Keys looked at per SCAN: some tenths of a millisecond of Redis's time each, so that everybody else gets a turn. */
const scanCount = 1_000;

/**
 * All locks under that prefix, where a lock's key holds the id of its holder. Walks through the whole key space: for
 * people who look for a stuck lock, not for programs that decide.
 */
export async function listHeld(redis: RedisClient, prefix: string, timeoutMs: number): Promise<LockInfo[]> {
  // SCAN, unlike GET, knows nothing of the prefix that ioredis may put before keys.
  const outerPrefix = redis.options.keyPrefix ?? '';
  const [start, end] = lockKey(prefix, '\n').split('\n') as [string, string];
  const pattern = `${escapeGlob(outerPrefix + start)}*${escapeGlob(end)}`;

  const held = new Map<string, LockInfo>();
  for (const server of 'nodes' in redis ? redis.nodes('master') : [redis]) {
    for await (const keys of scan(server, pattern, timeoutMs)) {
      const names = keys.map((key) => key.slice(outerPrefix.length + start.length, -end.length));
      const holderIds = await withTimeout(
        Promise.all(names.map((name) => redis.get(lockKey(prefix, name)))),
        timeoutMs,
      );
      for (const [index, name] of names.entries()) {
        const holderId = holderIds[index] ?? null; // null: released since
        if (holderId !== null) held.set(name, { name, mode: 'exclusive', clientId: clientOf(holderId) });
      }
    }
  }
  return [...held.values()];
}

async function* scan(server: Redis, pattern: string, timeoutMs: number): AsyncGenerator<string[]> {
  let cursor = '0';
  do {
    const page = server.scan(cursor, 'MATCH', pattern, 'COUNT', scanCount);
    const [next, keys] = await withTimeout(page, timeoutMs);
    yield keys;
    cursor = next;
  } while (cursor !== '0');
}

function escapeGlob(text: string): string {
  return text.replaceAll(/[\\*?[\]]/g, String.raw`\$&`);
}
