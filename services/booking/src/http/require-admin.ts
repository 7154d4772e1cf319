import { createHash, timingSafeEqual } from 'node:crypto';

import type { MiddlewareHandler } from 'hono';

import { ProblemError } from './problem.ts';
import type { Env } from './read-input.ts';

/**
 * For whatever changes an event or takes a booking back. Outside the lab it needs the token of the operator; without a
 * token configured it is closed.
 */
export function requireAdmin({
  adminToken,
  labMode,
}: {
  adminToken: string | undefined;
  labMode: boolean;
}): MiddlewareHandler<Env> {
  return async (c, next) => {
    if (!labMode) assertIsAdmin(c.req.header('authorization'), adminToken);
    await next();
  };
}

function assertIsAdmin(authorization: string | undefined, adminToken: string | undefined): void {
  if (adminToken === undefined) {
    const detail =
      'Changes of events and cancellations are closed. Start the service with ADMIN_TOKEN, or with LAB_MODE=on.';
    throw new ProblemError({ code: 'not_found', detail });
  }
  const [, token] = /^Bearer +(\S+)$/i.exec(authorization ?? '') ?? [];
  if (token !== undefined && isSame(token, adminToken)) return;
  throw new ProblemError({
    code: 'unauthorized',
    detail: 'Changes of events and cancellations need the header Authorization: Bearer ADMIN_TOKEN.',
    headers: { 'www-authenticate': 'Bearer' },
  });
}

/** Takes the same time whatever the difference. Hashed first, because only equal lengths can be compared like that. */
function isSame(a: string, b: string): boolean {
  return timingSafeEqual(sha256(a), sha256(b));
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
