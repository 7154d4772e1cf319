import { z } from '@hono/zod-openapi';

/** The kinds of values that the schemas of the contract are made of. Each says what is wrong in the words of a client. */

/** Postgres keeps event ids in an integer. */
export const MAX_EVENT_ID = 2_147_483_647;

export function wholeNumber(min: number, max: number) {
  const error = `must be a whole number from ${min} to ${max}`;
  return z.int(error).min(min, error).max(max, error);
}

/** The same in a path or a query. Only digits: `1e3` and `0x1` are no numbers there. */
export function wholeNumberText(min: number, max: number) {
  const error = `must be a whole number from ${min} to ${max}`;
  return z
    .string(error)
    .regex(/^\d{1,10}$/, error)
    .transform(Number)
    .pipe(z.number().min(min, error).max(max, error))
    .openapi({ type: 'integer', minimum: min, maximum: max });
}

export const eventIdText = () => wholeNumberText(1, MAX_EVENT_ID);

/** A moment of this time: before 1970 is a mistake, and years of five digits are none that all programs read. */
export function moment() {
  const error = 'must be a date and a time with its offset, such as 2030-06-01T10:00:00Z, from 1970 to 9999';
  return z.iso
    .datetime({ offset: true, error })
    .transform((text) => new Date(text))
    .refine((date) => date.getTime() >= 0 && date.getTime() < FIRST_OF_10000, error)
    .openapi({ type: 'string', format: 'date-time' });
}

const FIRST_OF_10000 = Date.UTC(10_000, 0);

/** Text that Postgres stores and a terminal shows as one line that says what it seems to say. */
export function plainText(maxLength: number) {
  return z
    .string('must be a string')
    .max(maxLength, `must have at most ${maxLength} characters`)
    .refine((text) => !unshowable.test(text) && text.isWellFormed(), 'must not contain control characters')
    .refine((text) => visible.test(text), 'must not be blank')
    .openapi({
      minLength: 1,
      description: 'Not blank. No control characters, and none that turn the direction of what follows them.',
    });
}

/** Control characters, ends of lines, and those that turn the direction of what follows them. */
const unshowable = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u;

/** U+2800 is the Braille pattern without a dot. */
const visible = /[^\p{White_Space}\p{Default_Ignorable_Code_Point}\u2800]/u;
