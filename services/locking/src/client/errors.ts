import type { ConnectionState } from './port.ts';

/**
 * What an error means, told by the code with which Redis begins it. An error without a code is no reply of Redis: it is
 * unknown then whether the call was executed.
 */

/** Before version 7 Redis put what a command in a script was answered into an error of its own. */
const wrapped = /^ERR Error running script \(call to \S+\): (?:@?user_script: ?\d+: )+-?(?<code>[A-Z]+) /;

/** The first word of what Redis answered: READONLY, OOM ... */
function codeOf({ message }: Error): string | undefined {
  return wrapped.exec(message)?.groups?.['code'] ?? /^[A-Z]+(?= )/.exec(message)?.[0];
}

/** No permission, a key of another type, a mistake: the answer will not change by waiting. */
const finalCodes = new Set(['NOAUTH', 'NOPERM', 'WRONGTYPE', 'CROSSSLOT', 'ERR']);

/**
 * A node of a cluster whose slot is moving to another one ends a script that touches a key after it has deleted it: the
 * node may not make it anew. What came before that has been done, and asking again goes on from there.
 */
const slotIsMoving = 'Script attempted to access a non local key';

/** Whether Redis has refused for a reason that waiting does not cure. Not so when memory is short (OOM), for instance. */
export function isRefusal(error: unknown): error is Error {
  if (!(error instanceof Error) || error.message.includes(slotIsMoving)) return false;
  return finalCodes.has(codeOf(error) ?? '');
}

/** Whether a key holds something else than what belongs there. */
export function isWrongType(error: unknown): boolean {
  return error instanceof Error && codeOf(error) === 'WRONGTYPE';
}

/** Whether a script was called by its hash and the server does not have it. */
export function isNoScript(error: Error): boolean {
  return codeOf(error) === 'NOSCRIPT';
}

/**
 * Answers of a server that is not the primary any more, or is just becoming something else: it loads the data of the
 * new primary (LOADING), has lost it (MASTERDOWN), or has lost the replicas without which it may not write (NOREPLICAS).
 */
const demotedCodes = new Set(['READONLY', 'LOADING', 'MASTERDOWN', 'NOREPLICAS']);

/** Whether another server may have become the primary: at the same address, for whoever connects anew. */
export function isDemotion(error: Error): boolean {
  return demotedCodes.has(codeOf(error) ?? '');
}

/** Asking again is in vain: Redis has refused for a reason that waiting does not cure, or the connection was ended. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
}

/** A call was not sent. */
export function notConnected(state: ConnectionState): Error {
  const message = `not connected to Redis (${state})`;
  return state === 'ended' ? new RefusedError(message) : new Error(message);
}

/** The lock service has been closed by the program: nothing is asked any more, and no reply is waited for. */
export class ServiceClosedError extends RefusedError {
  constructor() {
    super('this lock service was closed');
  }
}
