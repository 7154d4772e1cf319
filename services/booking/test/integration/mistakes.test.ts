import { playMistakes, type Played } from '@lastseat/infra/seeded-mistakes';
import { beforeAll, describe, expect, inject, test } from 'vitest';

import { mistakes, type Noticer } from './mistakes.ts';

/** The tests of the batches are tested here: each of these mistakes must make one of them fail. */
const testFiles: Record<Noticer, string> = {
  queues: 'test/unit/batch-queues.test.ts',
  allocation: 'test/unit/allocate.test.ts',
  together: 'test/integration/book-together.test.ts',
  batch: 'test/integration/decide-batch.test.ts',
  statements: 'test/integration/batches.test.ts',
  crashes: 'test/integration/crashes.test.ts',
};

let played: Played<Noticer>;

beforeAll(async () => {
  played = await playMistakes({
    root: new URL('../../', import.meta.url),
    testFiles,
    mistakes,
    provide: { postgresUrl: inject('postgresUrl'), redisUrl: inject('redisUrl') },
    testTimeoutMs: 10_000,
  });
}, 180_000);

test.each(Object.keys(testFiles) as Noticer[])('without a mistake all tests pass: %s', (noticer) => {
  expect(played.right[noticer]).toBe('passed');
});

describe('is noticed:', () => {
  test.each(mistakes)('$name', (mistake) => {
    expect(played.wrong[mistakes.indexOf(mistake)]).toBe('failed');
  });
});
