import type { Calls } from './calls.ts';

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
