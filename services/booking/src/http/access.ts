import { createHash, createHmac, createSecretKey, timingSafeEqual } from 'node:crypto';

import type { Context, MiddlewareHandler } from 'hono';

import { BOOKING_SECRET_HEADER } from '#src/contract.ts';
import type { Operator, Scope } from '#src/operators.ts';

import type { ProblemLog } from './log-problem.ts';
import { ProblemError } from './problem.ts';
import type { Env } from './read-input.ts';
import { requestIdOf } from './request-id.ts';

/**
 * Who may do what.
 *
 * A buyer has a secret for each booking, and whoever shows it is its buyer. It is made of the booking's id, so that every
 * replica knows it, none keeps it, and a repeated answer has the same one. An operator has a token and scopes. In lab
 * mode everybody may do everything, because there is nothing to protect.
 */
export interface Access {
  /** What is given to the buyer of a booking, and to nobody else. */
  secretOf(bookingId: string): string;
  /** Lets operators with this scope through. */
  require(scope: Scope): MiddlewareHandler<Env>;
  /** Lets the buyer of the booking through, and operators with this scope. @throws ProblemError */
  assertBuyerOr(scope: Scope, c: Context<Env>, bookingId: string): void;
  /** Whether who asks may see whose booking it is. */
  maySeeCustomer(c: Context<Env>, bookingId: string): boolean;
}

export interface AccessDeps {
  labMode: boolean;
  /** The key that the secrets of bookings are made with; the same for all replicas. */
  bookingKey: string;
  operators: readonly Operator[];
  log: ProblemLog;
}

export function createAccess({ labMode, bookingKey, operators, log }: AccessDeps): Access {
  const key = createSecretKey(Buffer.from(bookingKey));
  const known = operators.map(({ token, ...operator }) => ({ ...operator, digest: sha256(token) }));

  const secretOf = (bookingId: string) =>
    createHmac('sha256', key).update(bookingId.toLowerCase()).digest('base64url');

  /** Each is compared, and each in the same time, whatever the difference. */
  function operatorOf(c: Context<Env>): Omit<Operator, 'token'> | undefined {
    const [, token] = /^Bearer +(\S+)$/i.exec(c.req.header('authorization') ?? '') ?? [];
    if (token === undefined) return undefined;
    const digest = sha256(token);
    let found: Omit<Operator, 'token'> | undefined;
    for (const operator of known) if (timingSafeEqual(operator.digest, digest)) found = operator;
    return found;
  }

  function isBuyer(c: Context<Env>, bookingId: string): boolean {
    const given = c.req.header(BOOKING_SECRET_HEADER);
    // Hashed first, because only equal lengths can be compared like that.
    return given !== undefined && timingSafeEqual(sha256(given), sha256(secretOf(bookingId)));
  }

  function assertOperator(scope: Scope, c: Context<Env>, orElse: string): void {
    const operator = operatorOf(c);
    if (operator === undefined) {
      const detail = `This needs the token of an operator with the scope ${scope}, as Authorization: Bearer${orElse}.`;
      throw new ProblemError({ code: 'unauthorized', detail, headers: { 'www-authenticate': 'Bearer' } });
    }
    if (!operator.scopes.includes(scope)) {
      const challenge = `Bearer error="insufficient_scope", scope="${scope}"`;
      const detail = `${operator.name} has not the scope ${scope}.`;
      throw new ProblemError({ code: 'forbidden', detail, headers: { 'www-authenticate': challenge } });
    }
    const line = {
      operator: operator.name,
      requestId: requestIdOf(c),
      method: c.req.method,
      path: c.req.path,
    };
    log.info(line, 'an operator was let through');
  }

  return {
    secretOf,
    require: (scope) => async (c, next) => {
      if (!labMode && operators.length === 0) throw closed();
      if (!labMode) assertOperator(scope, c, '');
      await next();
    },
    assertBuyerOr(scope, c, bookingId) {
      if (labMode || isBuyer(c, bookingId)) return;
      assertOperator(scope, c, `, or the booking's own secret, as ${BOOKING_SECRET_HEADER}`);
    },
    maySeeCustomer: (c, bookingId) =>
      labMode || isBuyer(c, bookingId) || operatorOf(c)?.scopes.includes('bookings:read') === true,
  };
}

function closed(): ProblemError {
  const detail =
    'This is for operators, and there are none. Start the service with OPERATORS or OPERATORS_FILE, or with LAB_MODE=on.';
  return new ProblemError({ code: 'not_found', detail });
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
