import { AlwaysOnSampler, ParentBasedSampler, TraceIdRatioBasedSampler } from '@opentelemetry/sdk-trace';
import { expect, test } from 'vitest';

import { samplerOf } from '#src/tracing/sampler.ts';
import { statementName } from '#src/tracing/statement-name.ts';

test('the sampler is the one that the standard variables name', () => {
  expect(samplerOf({})).toBeInstanceOf(ParentBasedSampler);
  expect(samplerOf({ OTEL_TRACES_SAMPLER: 'always_on' })).toBeInstanceOf(AlwaysOnSampler);
  const some = samplerOf({ OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.25' });
  expect(some).toBeInstanceOf(TraceIdRatioBasedSampler);
  expect(some.toString()).toContain('0.25');
});

test.each([
  ['commit', 'COMMIT'],
  ['select 1', 'SELECT'],
  [
    '\n  with seen as (select 1), taken as (update inventory set x = 1), i as (insert into bookings (id) select 1) select 2',
    'INSERT bookings',
  ],
  ['update "inventory" set "available" = $1', 'UPDATE inventory'],
  ['select "available" from "inventory" for update', 'SELECT'],
])('%j is called %s', (text, name) => {
  expect(statementName(text)).toBe(name);
});
