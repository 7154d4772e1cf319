import { LockUnavailableError } from './errors.ts';
import { clientOf } from './holder-id.ts';
import { lockKey } from './lock-name.ts';
import type { RedisClient } from './redis-script.ts';
import { scanKeys } from './scan-keys.ts';
import type { LockInfo } from './web-locks.ts';
import { withTimeout } from './with-timeout.ts';

/**
 * All locks under that prefix, where a lock's key holds the id of its holder. Walks through the whole key space: for
 * people who look for a stuck lock, not for programs that decide.
 *
 * @param further names to look at in any case, asked for after the walk: one may have been taken behind it
 * @throws LockUnavailableError Redis did not answer in time
 */
export async function listHeld(
  redis: RedisClient,
  prefix: string,
  timeoutMs: number,
  further: () => readonly string[],
): Promise<LockInfo[]> {
  // SCAN, unlike GET, knows nothing of the prefix that ioredis may put before keys.
  const outerPrefix = redis.options.keyPrefix ?? '';
  const end = '}';
  const start = outerPrefix + lockKey(prefix, '').slice(0, -end.length);
  const held = new Map<string, LockInfo>();

  async function look(names: readonly string[]): Promise<void> {
    const holderIds = await withTimeout(
      Promise.all(names.map((name) => redis.get(lockKey(prefix, name)))),
      timeoutMs,
    );
    for (const [index, name] of names.entries()) {
      const holderId = holderIds[index] ?? null; // null: released since
      if (holderId !== null) held.set(name, { name, mode: 'exclusive', clientId: clientOf(holderId) });
    }
  }

  try {
    for await (const keys of scanKeys(redis, start, end, timeoutMs)) {
      await look(keys.map((key) => key.slice(start.length, -end.length)));
    }
    await look([...new Set(further())]);
  } catch (cause) {
    throw new LockUnavailableError({ lock: '*', cause });
  }
  return [...held.values()];
}
