import { expect, test } from 'vitest';

import { freePort } from '../../servers/index.ts';

test('whoever asks at the same time is given ports of his own', async () => {
  const ports = await Promise.all(Array.from({ length: 2_000 }, freePort));
  expect(new Set(ports).size).toBe(2_000);
});
