import { propertyParameters } from '@lastseat/infra/properties';
import fc from 'fast-check';
import { expect, test } from 'vitest';

import { play } from './model-play.ts';
import { lossyWorlds, robbedWorlds, safeWorlds, type World } from './model-worlds.ts';

// The real client against a model of the scripts, in an order of events that fast-check chooses. A failure prints its
// seed and path; FC_SEED (and FC_PATH) play it again.
const parameters = propertyParameters(1_500);

function holds(worlds: fc.Arbitrary<World>, exclusive: boolean): Promise<void> {
  const property = fc.asyncProperty(worlds, async (world) => {
    await play(world, exclusive);
  });
  return fc.assert(property, parameters);
}

const timeoutMs = 120_000;

test(
  'nobody ever meets, tokens increase and every wait ends in time, whatever network and processes do',
  async () => {
    await expect(holds(safeWorlds, true)).resolves.toBeUndefined();
  },
  timeoutMs,
);

test(
  'when Redis loses its data, tokens go on from those given away, and every wait still ends',
  async () => {
    await expect(holds(lossyWorlds, false)).resolves.toBeUndefined();
  },
  timeoutMs,
);

test(
  'when locks are stolen or deleted, tokens go on from those given away, and every wait still ends',
  async () => {
    await expect(holds(robbedWorlds, false)).resolves.toBeUndefined();
  },
  timeoutMs,
);

test('worlds are full of life: most of them give the lock several times', async () => {
  let several = 0;
  const property = fc.asyncProperty(safeWorlds, async (world) => {
    if ((await play(world, true)) > 2) several += 1;
  });
  await fc.assert(property, { numRuns: 100, seed: 1 });
  expect(several).toBeGreaterThan(50);
});
