import { setImmediate as turn } from 'node:timers/promises';

import { expect, test } from 'vitest';

import { shareReads } from '#src/storage/share-reads.ts';

/** Reads that end when the test says so. */
function readsByHand() {
  const begun: { key: string; end: (result: string) => void; fail: (error: Error) => void }[] = [];
  const read = shareReads((key: string) => {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    begun.push({ key, end: resolve, fail: reject });
    return promise;
  });
  return { read, begun };
}

test('all who ask while a read is under way share the next one, which begins after they asked', async () => {
  const { read, begun } = readsByHand();
  const first = read('a');
  const others = [read('a'), read('a'), read('a')];
  await turn();
  expect(begun).toHaveLength(1);
  begun[0]?.end('old');
  expect(await first).toBe('old');
  await turn();
  const late = read('a');
  await turn();
  expect(begun).toHaveLength(2);
  begun[1]?.end('new');
  expect(await Promise.all(others)).toEqual(['new', 'new', 'new']);
  await turn();
  begun[2]?.end('newest');
  expect(await late).toBe('newest');
  expect(begun).toHaveLength(3);
});

test('what nobody reads any more is read at once, and again', async () => {
  const { read, begun } = readsByHand();
  for (const result of ['one', 'two']) {
    const asked = read('a');
    begun.at(-1)?.end(result);
    expect(await asked).toBe(result);
    await turn();
  }
  expect(begun).toHaveLength(2);
});

test('different things wait for one another in no way', () => {
  const { read, begun } = readsByHand();
  void read('a');
  void read('b');
  expect(begun.map(({ key }) => key)).toEqual(['a', 'b']);
});

test('a read that fails is no matter to those who asked for the next one', async () => {
  const { read, begun } = readsByHand();
  const first = read('a');
  const second = read('a');
  begun[0]?.fail(new Error('away'));
  await expect(first).rejects.toThrow('away');
  begun[1]?.end('back');
  expect(await second).toBe('back');
});
