/** What all kinds of lock are given. */
interface CommonOptions {
  readonly keyPrefix: string;
  readonly clientId?: string | undefined;
  readonly onEvent?: unknown;
  readonly onReleaseFailed: unknown;
}

/**
 * Refuses wrong options when the lock is created. Later, nobody would see where the error comes from.
 * @throws TypeError in one sentence that names the option and says how to set it right
 */
export function checkOptions(client: { readonly keyPrefix: string }, options: CommonOptions): void {
  const { keyPrefix, clientId, onEvent, onReleaseFailed } = options;
  checkText('keyPrefix', keyPrefix);
  checkText('clientId', clientId ?? '');
  checkFunction('onEvent', onEvent ?? checkFunction);
  checkFunction('onReleaseFailed', onReleaseFailed);
  checkHashTag(keyPrefix, client.keyPrefix);
}

function checkText(name: string, value: unknown): void {
  if (typeof value !== 'string') throw new TypeError(`${name} must be a string, not ${typeof value}.`);
  // Redis stores UTF-8, where all lone surrogates are one and the same.
  if (!value.isWellFormed()) {
    throw new TypeError(`${name} must be well-formed Unicode (it has a lone surrogate).`);
  }
}

function checkFunction(name: string, value: unknown): void {
  if (typeof value !== 'function') throw new TypeError(`${name} must be a function, not ${typeof value}.`);
}

/**
 * A cluster keeps the keys of a name together by what stands between the first brace and the next one, unless that is
 * nothing. It must be something whatever the name is, an empty one or one with braces included.
 */
function checkHashTag(keyPrefix: string, outerPrefix: string): void {
  const beginning = `${outerPrefix}{${keyPrefix}`;
  const tag = beginning.slice(beginning.indexOf('{') + 1);
  if (tag !== '' && !tag.startsWith('}')) return;
  throw new TypeError(
    outerPrefix.includes('{')
      ? `keyPrefix of the Redis client, ${JSON.stringify(outerPrefix)}, must not have "{}" in it: a cluster could not keep the keys of a lock together.`
      : 'keyPrefix must not be empty or begin with "}", as in "lock:": a cluster could not keep the keys of a lock together.',
  );
}
