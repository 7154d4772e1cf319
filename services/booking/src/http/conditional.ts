import { createHash } from 'node:crypto';

import type { Context } from 'hono';

import { invalidInput } from './problem.ts';
import type { Env } from './read-input.ts';

/**
 * Conditional requests (RFC 9110, 13). A booking's tag is a digest of what is shown of it. An event's tag is its revision, a hyphen, and what else changes of what is shown:
 * the stock revision, and what is free and held, since a hold ends without anybody's doing. `If-Match` compares the revision alone. It is there so that one operator does not undo what
 * another one has changed; a booking in between is nothing that he could undo, and while an event sells, no tag that
 * counts bookings would ever match.
 */
export function eventTag({
  revision,
  stockRevision,
  available,
  held,
}: Record<'revision' | 'stockRevision' | 'available' | 'held', number>): string {
  return `"${revision}-${stockRevision}.${available}.${held}"`;
}

/** The tag of whatever has no revision: a digest of what is shown. */
export function tagOf(view: unknown): string {
  return `"${createHash('sha1').update(JSON.stringify(view)).digest('base64url')}"`;
}

/**
 * Of what shows some more than others: the buyer's name is for who has the secret. So no cache that several share keeps it,
 * and one's own asks each time whether it is still the same.
 */
export const NOT_SHARED = { 'cache-control': 'private, no-cache' };

/** The client has just this already: it is answered 304. */
export function hasClientAlready(c: Context<Env>, tag: string): boolean {
  const asked = c.req.header('if-none-match');
  if (asked === undefined) return false;
  return asked.trim() === '*' || asked.split(',').some((each) => each.trim().replace(/^W\//, '') === tag);
}

/** What `If-Match` says of a revision; any will do where the header is left out. */
export function readIfMatch(c: Context<Env>): (revision: number) => boolean {
  const tags = readTags(c);
  return (revision) => tags?.some((tag) => tag.startsWith(`"${revision}-`)) ?? true;
}

/** The same for what has no revision, by its tag; undefined where any will do. */
export function readIfMatchTag(c: Context<Env>): ((tag: string) => boolean) | undefined {
  const tags = readTags(c);
  return tags && ((tag) => tags.includes(tag));
}

function readTags(c: Context<Env>): string[] | undefined {
  const asked = c.req.header('if-match');
  if (asked === undefined || asked.trim() === '*') return undefined;
  const tags = asked.split(',').map((each) => each.trim());
  if (tags.every((tag) => /^(W\/)?"[^"]*"$/.test(tag))) return tags;
  throw invalidInput([{ field: 'if-match', detail: 'must be * or what the header ETag of an answer said' }]);
}

/** For the document. */
export const ifMatch = {
  in: 'header' as const,
  name: 'If-Match',
  schema: { type: 'string' as const },
  description:
    'The `ETag` that the event had: it is changed only if nobody but buyers has changed it since. If it is left out, ' +
    'it is changed whatever was changed before.',
};

export const ifMatchOfHold = {
  ...ifMatch,
  description:
    'The `ETag` that the booking had: it is extended only if it is still shown like that, and was not extended since.',
};

export const ifNoneMatch = {
  in: 'header' as const,
  name: 'If-None-Match',
  schema: { type: 'string' as const },
  description: 'An `ETag`: if it is still the same, the answer is 304, without a body.',
};
