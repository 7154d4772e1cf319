import fc from 'fast-check';
import { expect, test } from 'vitest';

import { checkName, lockKey, maxNameLength } from '#src/lock-name.ts';

/** What a cluster hashes to find the slot of a key: what stands between the first brace and the next one. */
function hashedPart(key: string): string {
  return /\{(?<tag>[^}]+)\}/s.exec(key)?.groups?.['tag'] ?? key;
}

const anyName = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: fc.constantFrom('{', '}', ':', 'a') }),
);

const keysOf = (name: string) => ['', ':token', ':queue'].map((suffix) => lockKey('lock:', name) + suffix);

test('all keys of a name are in one slot, whatever the name', () => {
  const property = fc.property(anyName, (name) => {
    const key = lockKey('lock:', name);
    expect(hashedPart(`${key}:token`)).toBe(hashedPart(key));
  });
  fc.assert(property);
});

test('no key of one name is a key of another', () => {
  const property = fc.property(anyName, anyName, (one, other) => {
    fc.pre(one !== other);
    expect(keysOf(one).filter((key) => keysOf(other).includes(key))).toEqual([]);
  });
  fc.assert(property);
});

test('a name is well-formed text of limited length', () => {
  expect(() => checkName('x'.repeat(maxNameLength))).not.toThrow();
  expect(() => checkName('x'.repeat(maxNameLength + 1))).toThrow(RangeError);
  expect(() => checkName('\u{d800}')).toThrow(TypeError);
  for (const none of [undefined, null, 7, ['seat']]) expect(() => checkName(none)).toThrow(TypeError);
});
