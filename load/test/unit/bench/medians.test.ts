import { expect, it } from 'vitest';

import { nothing } from '#src/bench/measurements.ts';
import { benchMedians } from '#src/bench/medians.ts';

import { cell } from './measured.ts';

it('a results line tells the cores that each part used, where they could be read', () => {
  const cpuCores = { nginx: 0.3, replicas: 0.7, redis: 0.1, postgres: 0.2, harness: 0.25 };
  const cells = [0.7, 0.9, 0.8].map((replicas) => cell({}, { cpuCores: { ...cpuCores, replicas } }));
  const medians = benchMedians({ ...nothing(), cells: [...cells, cell({ guard: 'row-lock' })] });
  expect(medians['cores of replicas']).toEqual({ 'batched-update': { '64 connections': 0.8 } });
  expect(medians['cores of redis']).toEqual({ 'batched-update': { '64 connections': 0.1 } });
});
