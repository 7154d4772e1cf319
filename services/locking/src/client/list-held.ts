import { LockUnavailableError } from '../errors.ts';
import { clientOf } from '../holder-id.ts';
import { lockKey } from '../lock-name.ts';
import type { LockInfo } from '../web-locks.ts';
import type { Calls } from './calls.ts';
import { scanKeys } from './scan-keys.ts';

/**
 * All locks under that prefix, where a lock's key holds the id of its holder. Walks through the whole key space: for
 * people who look for a stuck lock, not for programs that decide.
 *
 * @param further names to look at in any case, asked for after the walk: one may have been taken behind it
 * @throws LockUnavailableError Redis did not answer in time
 */
export async function listHeld(
  calls: Calls,
  prefix: string,
  further: () => readonly string[],
): Promise<LockInfo[]> {
  // SCAN, unlike GET, knows nothing of the prefix that a client may put before keys.
  const end = '}';
  const start = calls.connection.keyPrefix + lockKey(prefix, '').slice(0, -end.length);
  const held = new Map<string, LockInfo>();

  async function look(names: readonly string[]): Promise<void> {
    const holderIds = await Promise.all(
      names.map((name) => calls.send((own) => own.get(lockKey(prefix, name)))),
    );
    for (const [index, name] of names.entries()) {
      const holderId = holderIds[index]?.reply ?? null; // null: released since
      if (holderId !== null) held.set(name, { name, mode: 'exclusive', clientId: clientOf(holderId) });
    }
  }

  try {
    for await (const keys of scanKeys(calls, start, end)) {
      await look(keys.map((key) => key.slice(start.length, -end.length)));
    }
    await look([...new Set(further())]);
  } catch (cause) {
    throw new LockUnavailableError({ lock: '*', cause });
  }
  return [...held.values()];
}
