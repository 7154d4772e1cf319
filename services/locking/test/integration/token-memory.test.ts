import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { createQueueLock, createSimpleLock } from '#src/index.ts';

import { openLockLab, type LockKind, type LockLab } from './lock-lab.ts';

// Names come and go, and anybody may make up new ones: what each of them leaves behind must not pile up.
const kinds: (LockKind & { name: string })[] = [
  { name: 'queue lock', servers: 1, createLocks: ([redis], options) => createQueueLock(redis!, options) },
  { name: 'simple lock', servers: 1, createLocks: ([redis], options) => createSimpleLock(redis!, options) },
];
const minuteMs = 60_000;

describe.each(kinds)('$name: the last token of a name', (kind) => {
  let lab: LockLab;
  beforeAll(async () => {
    lab = await openLockLab(kind);
  });
  beforeEach(() => lab.onAll('flushall'));
  afterEach(() => lab.closeAll());
  afterAll(() => lab[Symbol.asyncDispose]());

  test('is remembered for minutes', async () => {
    const locks = lab.open();
    await locks.withLock('seat', () => undefined);
    const [redis] = lab.clients;
    const [key] = await lab.keys();
    const leftMs = await redis!.pttl(key!);
    expect(leftMs).toBeGreaterThan(minuteMs);
    expect(leftMs).toBeLessThanOrEqual(11 * minuteMs);
  });

  test('is remembered while its lease lasts, however long that is', async () => {
    const locks = lab.open({ ttlMs: 60 * minuteMs, tokenMemoryMs: minuteMs });
    const lease = await locks.acquire('seat');
    await lease.extend();
    const [redis] = lab.clients;
    for (const key of await lab.keys()) expect(await redis!.pttl(key)).toBeGreaterThan(59 * minuteMs);
    await lease.release();
  });

  test('is forgotten with its lease where the resource keeps the fence', async () => {
    const locks = lab.open({ ttlMs: 2_000, tokenMemoryMs: 0 });
    const names = Array.from({ length: 500 }, (_, i) => `seat ${i}`);
    await Promise.all(names.map((name) => locks.withLock(name, () => undefined)));
    await expect.poll(() => lab.keys(), { timeout: 20_000 }).toEqual([]);
  });

  // As if the fence was made before the clock was set back: nobody has written under the first of the two tokens, so the
  // second one is asked for above the same fence.
  test.each([0, minuteMs])(
    'is not given twice where the clock is behind it, remembered for %i ms more',
    async (tokenMemoryMs) => {
      const locks = lab.open({ ttlMs: 2_000, tokenMemoryMs });
      const tokenAbove = Date.now() * 1_000 + 60 * minuteMs * 1_000;
      const first = await locks.acquire('seat', { tokenAbove });
      expect(first.token).toBeGreaterThan(tokenAbove);
      await first.extend();
      await first.release();
      const [redis] = lab.clients;
      const [key] = await lab.keys();
      expect(await redis!.pttl(key!)).toBeGreaterThan(59 * minuteMs);
      const second = await locks.acquire('seat', { tokenAbove });
      expect(second.token).toBeGreaterThan(first.token);
      await second.release();
    },
  );
});
