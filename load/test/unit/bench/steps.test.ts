import type { StrategyView } from '@lastseat/booking/contract';
import { expect, it } from 'vitest';

import { comparedWorkloads } from '#src/bench/figures.ts';
import { nothing } from '#src/bench/measurements.ts';
import { compareSteps } from '#src/bench/parts/compare.ts';
import { speedSteps } from '#src/bench/parts/speed.ts';
import { sweepSteps } from '#src/bench/parts/sweep.ts';
import type { Step } from '#src/bench/step.ts';

const names = ['no-lock', 'simple-lock', 'row-lock', 'atomic-update', 'batched-update'] as const;
const strategies = names.map((name) => ({ name, guarantee: 'always', available: true }) as StrategyView);
const field = { strategies, connections: [8, 64, 512] };
const pace = { repeats: 9, warmUpMs: 1, windowMs: 1 };

it('what the figures compare is measured in every repeat, everything else in every third', () => {
  const steps = speedSteps(field, pace, nothing());
  expect(timesOf(steps, 'batched-update, 64 connections')).toBe(9);
  expect(timesOf(steps, 'atomic-update, 1,000 events')).toBe(9);
  expect(timesOf(steps, 'row-lock, 64 connections')).toBe(3);
  expect(timesOf(steps, 'batched-update, 8 connections')).toBe(3);
});

it('the two sides of a pair stand close together in each repeat', () => {
  const steps = speedSteps(field, pace, nothing()).map(({ what }) => what);
  const first = steps.indexOf('batched-update, 64 connections');
  const second = steps.indexOf('atomic-update, 64 connections');
  expect(Math.abs(first - second)).toBeLessThan(comparedWorkloads().length);
});

it('numbers of replicas take turns where they can, and come one after the other where they cannot', () => {
  expect(numbersIn('native')).toMatch(/^8421124884211248/);
  expect(numbersIn('docker')).toBe('888444222111');
});

it('two guards take turns at each number of replicas, at home and spread', () => {
  const steps = compareSteps(['atomic-update', 'row-lock'], [8, 64], { ...pace, repeats: 2 }, []);
  const order = steps.map(({ what }) => what).filter((what) => what.endsWith('connections, 4 replicas'));
  expect(order).toEqual([
    'atomic-update at home, 64 connections, 4 replicas',
    'row-lock at home, 64 connections, 4 replicas',
    'row-lock at home, 64 connections, 4 replicas',
    'atomic-update at home, 64 connections, 4 replicas',
    'atomic-update, 64 connections, 4 replicas',
    'row-lock, 64 connections, 4 replicas',
    'row-lock, 64 connections, 4 replicas',
    'atomic-update, 64 connections, 4 replicas',
  ]);
});

function numbersIn(runtime: 'native' | 'docker'): string {
  const steps = sweepSteps(field, pace, runtime, []).map(({ what }) => what);
  return steps.flatMap((what) => /^batched-update at home, (\d)/.exec(what)?.[1] ?? []).join('');
}

function timesOf(steps: readonly Step[], what: string): number {
  return steps.filter((step) => step.what === what).length;
}
