import { playMistakes, type Played } from '@lastseat/infra/seeded-mistakes';
import { beforeAll, describe, expect, inject, test } from 'vitest';

import { mistakes, type Noticer } from './mistakes.ts';

/** The tests of the locks are tested here: each of these mistakes must make one of them fail. */
const testFiles: Record<Noticer, string> = {
  model: 'test/unit/queue-model.test.ts',
  scenarios: 'test/unit/queue-scenarios.test.ts',
  scripts: 'test/integration/queue-differential.test.ts',
  'simple scripts': 'test/integration/simple-differential.test.ts',
  'quorum scripts': 'test/integration/quorum-differential.test.ts',
  'quorum tokens': 'test/unit/quorum-tokens.test.ts',
  'local queue': 'test/unit/local-queue.test.ts',
  'several names': 'test/unit/several-names.test.ts',
  'errors of Redis': 'test/unit/client-errors.test.ts',
  cluster: 'test/integration/cluster-resend.test.ts',
  lease: 'test/unit/lease.test.ts',
  'with-lock': 'test/unit/with-lock.test.ts',
};

let played: Played<Noticer>;

beforeAll(async () => {
  played = await playMistakes({
    root: new URL('../../', import.meta.url),
    testFiles,
    mistakes,
    provide: { redisUrl: inject('redisUrl') },
    // As many worlds as it takes to notice each of the mistakes, twice over.
    env: { PROPERTY_RUNS: '100' },
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
