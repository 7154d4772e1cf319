import type { HttpBindings } from '@hono/node-server';
import type { z } from '@hono/zod-openapi';
import type { Context } from 'hono';

import { invalidInput, ProblemError } from './problem.ts';

/** What arrives, checked: paths, queries, headers and JSON bodies. Each throws a `ProblemError` that names the field. */

export interface Env {
  /** Absent when the app is called without a server, as tests do. */
  Bindings: Partial<HttpBindings>;
  Variables: {
    requestId?: string;
    /** Monotonic time at which it arrived: before anything of it was read or waited for. */
    arrivedAtMs: number;
    /** The route that was asked. */
    route?: Route;
    /** That a booking was asked for with. */
    strategy?: string;
  };
}

export interface Route {
  /** In capitals. */
  method: string;
  /** As the document writes it: `/events/{event_id}`. */
  route: string;
}

/** A booking is some hundred bytes. nginx has a limit of its own in front of this one. */
const MAX_BODY_BYTES = 16 * 1024;

/**
 * The query parameters of a request. One that the route does not know, or that is given twice, is refused: it would
 * otherwise be ignored, and something else be done than was meant.
 */
export function readQuery(c: Context<Env>, known: readonly string[]): Record<string, string> {
  const start = c.req.url.indexOf('?');
  if (start === -1) return {};
  const given = new URLSearchParams(c.req.url.slice(start + 1));
  const errors = [...new Set(given.keys())].flatMap((field) => {
    if (!known.includes(field)) return [{ field, detail: 'is not known here' }];
    return given.getAll(field).length > 1 ? [{ field, detail: 'must be given once' }] : [];
  });
  if (errors.length > 0) throw invalidInput(errors);
  return Object.fromEntries(given);
}

/** A JSON body that fits the schema. An empty body counts as `{}`. */
export async function readJson<T>(c: Context<Env>, schema: z.ZodType<T>): Promise<T> {
  const bytes = await readBytes(c);
  if (bytes.byteLength === 0) return check(schema, {});
  assertJsonInUtf8(c.req.header('content-type') ?? '');
  return check(schema, parse(decode(bytes)));
}

/** JSON is UTF-8 and nothing else (RFC 8259); a client that says otherwise would find other names than it sent. */
function assertJsonInUtf8(contentType: string): void {
  const [mediaType = '', ...parameters] = contentType.split(';').map((part) => part.trim().toLowerCase());
  const isUtf8 = parameters.every(
    (parameter) => !parameter.startsWith('charset=') || /^charset=("?)utf-8\1$/.test(parameter),
  );
  if (mediaType === 'application/json' && isUtf8) return;
  const detail = `The body must be application/json in UTF-8, not ${contentType === '' ? 'untyped' : contentType}.`;
  throw new ProblemError({ code: 'unsupported_media_type', detail });
}

/** A byte order mark is ignored, as RFC 8259 allows. */
const utf8 = new TextDecoder('utf-8', { fatal: true });

/** The lenient way would store U+FFFD instead of what cannot be read. */
function decode(bytes: Uint8Array | ArrayBuffer): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new ProblemError({ code: 'invalid_json', detail: 'The body is not UTF-8.' });
  }
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

export function check<T>(schema: z.ZodType<T>, value: unknown): T {
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

const NO_BYTES = new Uint8Array();

async function readBytes(c: Context<Env>): Promise<Uint8Array | ArrayBuffer> {
  try {
    return await readWhatIsSent(c);
  } catch (error) {
    if (error instanceof ProblemError || !c.req.raw.signal.aborted) throw error;
    // The client hung up in the middle: there is nobody to answer.
    throw new ProblemError({ code: 'bad_request', detail: 'The body ended early.' });
  }
}

async function readWhatIsSent(c: Context<Env>): Promise<Uint8Array | ArrayBuffer> {
  const declared = c.req.header('content-length');
  // With a declared length the server reads exactly that much, so that looking at the number is enough.
  if (declared !== undefined) {
    if (Number(declared) > MAX_BODY_BYTES) throw bodyTooLarge();
    return declared === '0' ? NO_BYTES : c.req.arrayBuffer();
  }
  const isWithoutBody = c.env?.incoming !== undefined && c.req.header('transfer-encoding') === undefined;
  return isWithoutBody ? NO_BYTES : readBytesOfUnknownLength(c);
}

async function readBytesOfUnknownLength(c: Context<Env>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of c.req.raw.body ?? []) {
    size += chunk.byteLength;
    if (size > MAX_BODY_BYTES) throw bodyTooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function bodyTooLarge(): ProblemError {
  // The rest of the body is still on its way: the connection cannot be used for another request.
  return new ProblemError({
    code: 'body_too_large',
    detail: `The body may have at most ${MAX_BODY_BYTES} bytes.`,
    headers: { connection: 'close' },
  });
}
