import { randomUUIDv7 } from 'node:crypto';

import type { Context } from 'hono';

import { REQUEST_ID_HEADER } from '#src/contract.ts';

import type { Env } from './read-input.ts';

/**
 * The id of a request: in its answer, in the log, and in the row of the booking that it makes. The proxy in front makes
 * one for each request, before anything can be lost; a request that comes without it gets one here.
 */
export function requestIdOf(c: Context<Env>): string {
  const known = c.get('requestId');
  if (known !== undefined) return known;
  const requestId = acceptRequestId(c.req.header(REQUEST_ID_HEADER));
  c.set('requestId', requestId);
  return requestId;
}

/** Kept as it was written, so that one search finds it in all logs. */
export function acceptRequestId(given: unknown): string {
  return typeof given === 'string' && isRequestId(given) ? given : randomUUIDv7();
}

/** A UUID, or the same without hyphens, as nginx writes it. */
export function isRequestId(text: string): boolean {
  return /^([\da-f]{32}|[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12})$/i.test(text);
}

/**
 * Whether the same request may have been sent before. Not one that got its id here, or from the proxy in front: the
 * proxy makes an id for each request and sends none twice of which a replica has got a byte. Its ids have no hyphens.
 */
export function mayBeRepeated(c: Context<Env>, requestId: string): boolean {
  return requestId.includes('-') && c.req.header(REQUEST_ID_HEADER) === requestId;
}

/** As Postgres writes it. */
export function uuidOf(requestId: string): string {
  const digits = requestId.replaceAll('-', '').toLowerCase();
  const [a, b, c, d] = [digits.slice(0, 8), digits.slice(8, 12), digits.slice(12, 16), digits.slice(16, 20)];
  return `${a}-${b}-${c}-${d}-${digits.slice(20)}`;
}

export function isUuid(text: string): boolean {
  return /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(text);
}
