/**
 * Longest lock name, in UTF-16 code units. A name is copied into every key and every error message; 512 leaves room
 * for a path or a URL, and stops a whole document from being passed by mistake.
 */
export const maxNameLength = 512;

/**
 * @throws TypeError not a string, or not encodable: Redis stores UTF-8, where all lone surrogates are one and the same
 * @throws RangeError longer than `maxNameLength`
 */
export function checkName(name: unknown): asserts name is string {
  if (typeof name !== 'string') {
    throw new TypeError(`A lock name must be a string, not ${name === null ? 'null' : typeof name}.`);
  }
  if (name.length > maxNameLength) {
    throw new RangeError(`A lock name may have ${maxNameLength} characters, not ${name.length}.`);
  }
  if (!name.isWellFormed()) {
    throw new TypeError('A lock name must be well-formed Unicode (it has a lone surrogate).');
  }
}

/**
 * The key of a name's lock; every further key of that name is this one plus a suffix. The prefix stands inside the
 * hash tag, so that a cluster keeps the keys of a name together whatever the name is: empty, or with braces in it.
 */
export function lockKey(prefix: string, name: string): string {
  return `{${prefix}${name}}`;
}
