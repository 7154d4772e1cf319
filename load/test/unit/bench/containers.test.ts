import { expect, it } from 'vitest';

import { limitsOf } from '#src/bench/stack/containers.ts';

it('containers have the limits that the engine tells, part by part, and none where it tells none', () => {
  const lines = [
    ['booking-1', '1000000000', '536870912'],
    ['booking-2', '1000000000', '536870912'],
    ['postgres-1', '2500000000', '1073741824'],
    ['quorum-2-1', '0', '536870912'],
    ['nginx-1', '0', '0'],
  ];
  expect(limitsOf(lines)).toEqual({
    cpus: { replicas: 1, postgres: 2.5 },
    memoryMb: { replicas: 512, postgres: 1_024, redis: 512 },
  });
});
