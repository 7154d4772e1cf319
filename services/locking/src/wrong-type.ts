import { isWrongType } from './redis-errors.ts';
import type { RedisClient } from './redis-script.ts';
import { withTimeout } from './with-timeout.ts';

/**
 * Redis does not say which key it is that holds a value of another type, and which: somebody else's, as a rule.
 *
 * @param types of each key, those that it may have
 * @returns the error, or one of the same code that says so
 */
export async function explainWrongType(
  error: Error,
  redis: RedisClient,
  keys: readonly string[],
  types: readonly (readonly string[])[],
  timeoutMs: number,
): Promise<Error> {
  if (!isWrongType(error)) return error;
  try {
    const present = await withTimeout(typesOf(redis, keys), timeoutMs);
    for (const [i, type] of present.entries()) {
      const right = types[i];
      if (type === 'none' || right === undefined || right.includes(type)) continue;
      const key = JSON.stringify(`${redis.options.keyPrefix ?? ''}${keys[i]}`);
      const message = `WRONGTYPE The key ${key} holds a ${type}, where a lock has a ${right[0]}: delete it, or choose another keyPrefix.`;
      return new Error(message, { cause: error });
    }
  } catch {
    // What Redis said itself has to do.
  }
  return error;
}

function typesOf(redis: RedisClient, keys: readonly string[]): Promise<string[]> {
  return Promise.all(keys.map((key) => redis.type(key)));
}
