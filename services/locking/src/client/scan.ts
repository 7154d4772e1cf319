import { LockUnavailableError } from '../errors.ts';
import { clientOf } from '../holder-id.ts';
import { lockKey } from '../lock-name.ts';
import type { LockInfo } from '../web-locks.ts';
import type { Calls } from './calls.ts';

/**
 * All locks under that prefix, where a lock's key holds the id of its holder. Looks through the whole key space: for
 * people who search for a stuck lock, not for programs that decide.
 *
 * @param further names to look at too. They are asked for at the end: one may have been taken during the search
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

/** Keys looked at per SCAN: some tenths of a millisecond of Redis's time each, so that it serves others in between. */
const scanCount = 1_000;

/** All keys that start and end so, page by page; in a cluster, of all its nodes. A key may come more than once. */
export async function* scanKeys(calls: Calls, start: string, end: string): AsyncGenerator<readonly string[]> {
  const pattern = `${escapeGlob(start)}*${escapeGlob(end)}`;
  let pages: AsyncIterator<readonly string[]> | undefined;
  for (;;) {
    // (A cluster that is not connected has no nodes: the first page begins when the call is sent.)
    const { reply: page } = await calls.send((own) => {
      pages ??= own.scan(pattern, scanCount)[Symbol.asyncIterator]();
      return pages.next();
    });
    if (page.done === true) return;
    yield page.value;
  }
}

function escapeGlob(text: string): string {
  return text.replaceAll(/[\\*?[\]]/g, String.raw`\$&`);
}
