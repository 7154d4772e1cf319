import { whenReady, type RedisClient } from './redis-script.ts';
import { withTimeout } from './with-timeout.ts';

/** Keys looked at per SCAN: some tenths of a millisecond of Redis's time each, so that everybody else gets a turn. */
const scanCount = 1_000;

/** All keys that start and end so, page by page; in a cluster, of all its nodes. A key may come more than once. */
export async function* scanKeys(
  redis: RedisClient,
  start: string,
  end: string,
  timeoutMs: number,
): AsyncGenerator<string[]> {
  // A client may refuse what it cannot send yet, and a cluster that is not connected has no nodes.
  await whenReady(redis, timeoutMs);
  const pattern = `${escapeGlob(start)}*${escapeGlob(end)}`;
  for (const server of 'nodes' in redis ? redis.nodes('master') : [redis]) {
    let cursor = '0';
    do {
      const page: Promise<[string, string[]]> = server.scan(cursor, 'MATCH', pattern, 'COUNT', scanCount);
      const [next, keys] = await withTimeout(page, timeoutMs);
      yield keys;
      cursor = next;
    } while (cursor !== '0');
  }
}

function escapeGlob(text: string): string {
  return text.replaceAll(/[\\*?[\]]/g, String.raw`\$&`);
}
