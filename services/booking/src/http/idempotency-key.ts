import type { Context } from 'hono';

import { IDEMPOTENCY_KEY_HEADER, MAX_IDEMPOTENCY_KEY } from '#src/contract.ts';

import { invalidInput } from './problem.ts';
import type { Env } from './read-input.ts';

/**
 * The key under which a request is done once, as it was sent; null without one. Of two headers it is not known which one
 * was meant, and one that is cut or changed on the way would stand for another request: both are refused.
 */
export function readIdempotencyKey(c: Context<Env>): string | null {
  const key = c.req.header(IDEMPOTENCY_KEY_HEADER);
  if (key === undefined) return null;
  const given = c.env?.incoming?.headersDistinct[IDEMPOTENCY_KEY_HEADER]?.length ?? 1;
  if (given > 1) throw invalidInput([{ field: IDEMPOTENCY_KEY_HEADER, detail: 'must be given once' }]);
  if (isKey.test(key) && key.length <= MAX_IDEMPOTENCY_KEY) return key;
  const detail = `must have 1 to ${MAX_IDEMPOTENCY_KEY} printable ASCII characters`;
  throw invalidInput([{ field: IDEMPOTENCY_KEY_HEADER, detail }]);
}

const isKey = /^[ -~]+$/;
