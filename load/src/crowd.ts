import { RACE_WINDOW_HEADER } from '@lastseat/booking/contract';
import autocannon from 'autocannon';

import { readAnswer, type Answer } from './answer.ts';

/**
 * One wave of a crowd: every buyer sends exactly one request, over a limited number of connections, as fast as the
 * answers come.
 *
 * The client (autocannon) loses requests without a word: a connection that the server closes while a request is
 * under way counts as no error at all, a time-out calls nobody back, and what is in flight when it stops is dropped.
 * So the book is kept here. Every request is noted when it is built and matched when its answer comes; what was
 * noted and never matched is *unanswered*, whatever the client believes. The client's own counts are handed on too,
 * and the checks hold the two against each other.
 *
 * Its latencies are not used either: after a lost request they belong to the wrong one.
 */

/** One request of one buyer. A buyer who is told to try again makes another attempt. */
export interface Attempt {
  buyer: number;
  /** 1 for the first. */
  number: number;
  /** Unique per attempt, so that a row in the database names its request even if the answer was lost. */
  customer: string;
  /** On the clock of `performance.now()`. */
  startedAtMs: number;
  /** Null: asked, never answered. It may have been booked. */
  answer: Answer | null;
}

export interface Wave {
  attempts: Attempt[];
  /** Answers that no request was waiting for. */
  strayAnswers: number;
  /** What the client itself counted. */
  client: { sent: number; answered: number; timedOut: number };
  /** Buyers who never got to ask, because the wave was broken off. */
  neverAsked: number;
}

export interface WaveOptions {
  /** Every buyer's name carries it, so that nobody takes a booking for one of another run. */
  runId: string;
  /** The whole address, with the path. */
  url: string;
  /** Buyers who ask, each with the number of this attempt. */
  buyers: readonly { buyer: number; number: number }[];
  connections: number;
  quantity: number;
  timeoutMs: number;
  raceWindowMs: number;
  /** Told of each attempt as soon as it is answered. */
  onAnswer?: (attempt: Attempt) => void;
}

// The client notices that it is done at its next sample; its default of a second would be most of a short run.
const SAMPLE_MS = 10;

export async function sendWave(options: WaveOptions): Promise<Wave> {
  const connections = Math.min(options.connections, options.buyers.length);
  const attempts: Attempt[] = [];
  let answered = 0;
  let strayAnswers = 0;
  let client: autocannon.Instance | undefined;

  // The client gives each request a fresh context and hands the same one back with the answer.
  type Context = { attempt?: Attempt };
  type Headers = autocannon.Request['headers'];

  function nextRequest(request: autocannon.Request, context: Context): autocannon.Request {
    const next = options.buyers[attempts.length];
    if (!next) throw new Error(`a crowd of ${options.buyers.length} was asked for one request more`);
    const attempt: Attempt = {
      ...next,
      customer: customerName(options.runId, next),
      startedAtMs: performance.now(),
      answer: null,
    };
    attempts.push(attempt);
    context.attempt = attempt;
    // Each connection has one request under way; twice that without an answer means that every one of them has lost
    // one. Nobody is listening: the rest of the crowd need not wait for its time-outs too.
    if (attempts.length - answered > 2 * connections) client?.stop();
    return {
      ...request,
      body: JSON.stringify({ customer: attempt.customer, quantity: options.quantity }),
    };
  }

  function matchAnswer(status: number, body: string, context: Context, headers: Headers): void {
    const { attempt } = context;
    // Also the second answer to one request.
    if (!attempt || attempt.answer) {
      strayAnswers += 1;
      return;
    }
    attempt.answer = readAnswer(status, body, headers ?? {}, performance.now());
    answered += 1;
    options.onAnswer?.(attempt);
  }

  const result = await new Promise<autocannon.Result>((resolve, reject) => {
    client = autocannon(
      {
        url: options.url,
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(options.raceWindowMs > 0 ? { [RACE_WINDOW_HEADER]: String(options.raceWindowMs) } : {}),
        },
        connections,
        amount: options.buyers.length,
        timeout: options.timeoutMs / 1000,
        sampleInt: SAMPLE_MS,
        requests: [{ setupRequest: nextRequest, onResponse: matchAnswer }],
      },
      (error, result) => {
        if (error) reject(error as Error);
        else resolve(result);
      },
    );
  });

  return {
    attempts,
    strayAnswers,
    client: {
      sent: result.requests.sent,
      answered: Object.values(result.statusCodeStats ?? {}).reduce((sum, { count = 0 }) => sum + count, 0),
      timedOut: result.timeouts,
    },
    neverAsked: options.buyers.length - attempts.length,
  };
}

function customerName(runId: string, { buyer, number }: { buyer: number; number: number }): string {
  const name = `run-${runId}-buyer-${String(buyer).padStart(6, '0')}`;
  return number === 1 ? name : `${name}-try-${number}`;
}

/** The run that a buyer belongs to; null if it is nobody of a run. */
export function runIdOf(customer: string): string | null {
  return /^run-([\da-f]{8})-buyer-\d{6}/.exec(customer)?.[1] ?? null;
}
