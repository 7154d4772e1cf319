import { expect, test } from 'vitest';

import { acquireDefaults, acquireSettings } from '#src/options.ts';

test('what is not asked for is taken from the defaults', () => {
  const defaults = { waitMs: 1, ttlMs: 20, renew: false, maxHoldMs: 40 };
  expect(acquireSettings({}, defaults)).toEqual({ ...defaults, signal: undefined, tokenAbove: 0 });
  expect(acquireSettings({ waitMs: 0, renew: true }, defaults)).toMatchObject({
    waitMs: 0,
    ttlMs: 20,
    renew: true,
  });
});

test.each([
  { waitMs: NaN },
  { waitMs: -0.1 },
  { waitMs: 2 ** 31 },
  { ttlMs: 0 },
  { ttlMs: 9 },
  { ttlMs: 2 ** 31 },
  { tokenAbove: -1 },
  { tokenAbove: 0.5 },
  { tokenAbove: 2 ** 53 },
])('%o is out of range', (options) => {
  expect(() => acquireSettings(options, acquireDefaults)).toThrow(RangeError);
});

test.each([{ waitMs: '1' }, { ttlMs: null }, { renew: 1 }, { signal: {} }, { tokenAbove: 1n }])(
  '%o is of the wrong type',
  (options) => {
    expect(() => acquireSettings(options as never, acquireDefaults)).toThrow(TypeError);
  },
);
