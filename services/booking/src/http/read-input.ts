import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import { z } from 'zod';

import { MAX_RACE_WINDOW_MS, RACE_WINDOW_HEADER } from '#src/contract.ts';

import { invalidInput, ProblemError } from './problem.ts';

/** What arrives, checked: ids, numbers and JSON bodies. Each throws a `ProblemError` that names the field. */

export interface Env {
  /** Absent when the app is called without a server, as tests do. */
  Bindings: Partial<HttpBindings>;
}

/** Postgres keeps event ids in an integer. */
const MAX_EVENT_ID = 2_147_483_647;

/** A booking is some hundred bytes. nginx has a limit of its own in front of this one. */
const MAX_BODY_BYTES = 16 * 1024;

export function readEventId(text: string | undefined): number {
  return readWholeNumber('event_id', text, 1, MAX_EVENT_ID);
}

export function readWholeNumber(field: string, text: string | undefined, min: number, max: number): number {
  const value = text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw invalidInput([{ field, detail: `must be a whole number from ${min} to ${max}` }]);
}

export function readOptionalWholeNumber(
  field: string,
  text: string | undefined,
  min: number,
  max: number,
): number | undefined {
  return text === undefined ? undefined : readWholeNumber(field, text, min, max);
}

/** The pause between read and write that a request may ask for in lab mode. */
export function readRaceWindowMs(
  c: Context<Env>,
  { labMode, raceWindowMs }: { labMode: boolean; raceWindowMs: number },
): number {
  const asked = c.req.header(RACE_WINDOW_HEADER);
  if (asked === undefined) return raceWindowMs;
  if (!labMode) throw labModeOff(`The header ${RACE_WINDOW_HEADER}`);
  return readWholeNumber(RACE_WINDOW_HEADER, asked, 0, MAX_RACE_WINDOW_MS);
}

export function labModeOff(what: string): ProblemError {
  const detail = `${what} exists only in lab mode. Start the service with LAB_MODE=on.`;
  return new ProblemError({ code: 'lab_mode_off', detail });
}

/** A JSON body that fits the schema. An empty body counts as `{}`. */
export async function readJson<T>(c: Context<Env>, schema: z.ZodType<T>): Promise<T> {
  const text = await readText(c);
  if (text === '') return check(schema, {});
  const contentType = c.req.header('content-type') ?? '';
  if (!/^application\/json *(;|$)/i.test(contentType)) {
    const detail = `The body must be application/json, not ${contentType === '' ? 'untyped' : contentType}.`;
    throw new ProblemError({ code: 'unsupported_media_type', detail });
  }
  return check(schema, parse(text));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ProblemError({
      code: 'invalid_json',
      detail: `The body is not JSON: ${(error as Error).message}`,
    });
  }
}

function check<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw invalidInput(result.error.issues.flatMap(describe));
}

function describe(issue: z.core.$ZodIssue): { field: string; detail: string }[] {
  // A misspelt field would otherwise book something else than was meant.
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((field) => ({ field, detail: 'is not known here' }));
  }
  return [{ field: issue.path.join('.') || 'body', detail: issue.message }];
}

async function readText(c: Context<Env>): Promise<string> {
  const declared = c.req.header('content-length');
  // With a declared length the server reads exactly that much, so that looking at the number is enough.
  if (declared !== undefined) {
    if (Number(declared) > MAX_BODY_BYTES) throw bodyTooLarge();
    return declared === '0' ? '' : c.req.text();
  }
  const isWithoutBody = c.env?.incoming !== undefined && c.req.header('transfer-encoding') === undefined;
  return isWithoutBody ? '' : readTextOfUnknownLength(c);
}

async function readTextOfUnknownLength(c: Context<Env>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of c.req.raw.body ?? []) {
    size += chunk.byteLength;
    if (size > MAX_BODY_BYTES) throw bodyTooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function bodyTooLarge(): ProblemError {
  // The rest of the body is still on its way: the connection cannot be used for another request.
  return new ProblemError({
    code: 'body_too_large',
    detail: `The body may have at most ${MAX_BODY_BYTES} bytes.`,
    headers: { connection: 'close' },
  });
}

/** Text that Postgres stores and a terminal shows: no control characters, no half characters. */
export function plainText(maxLength: number) {
  return z
    .string('must be a string')
    .min(1, 'must not be empty')
    .max(maxLength, `must have at most ${maxLength} characters`)
    .refine((text) => text.isWellFormed() && !/\p{Cc}/u.test(text), 'must not contain control characters');
}

export function wholeNumber(min: number, max: number) {
  const error = `must be a whole number from ${min} to ${max}`;
  return z.int(error).min(min, error).max(max, error);
}
