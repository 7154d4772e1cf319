import type { Context, TypedResponse } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';

import { INSTANCE_HEADER, REQUEST_ID_HEADER, type Problem } from '#src/contract.ts';

import { logProblem, type ProblemLog } from './log-problem.ts';
import type { ProblemStatus } from './problem-kinds.ts';
import { type ProblemDetails, renderProblem } from './problem.ts';
import type { Env, Route } from './read-input.ts';
import { requestIdOf } from './request-id.ts';

/**
 * All answers are made here, each with the instance that made it and the request that it answers. They are built from
 * plain header objects because that is what @hono/node-server writes without a detour over `Headers`. Their types tell
 * a typed client what it gets.
 */
export interface Answers {
  json<Body, Status extends ContentfulStatusCode>(
    c: Context<Env>,
    status: Status,
    body: Body,
    headers?: Record<string, string>,
  ): Response & TypedResponse<Body, Status, 'json'>;
  /** 304: the client has what it asks for. */
  unchanged(
    c: Context<Env>,
    tag: string,
    headers?: Record<string, string>,
  ): Response & TypedResponse<{}, 304, 'body'>;
  /** What is sent as it is made. */
  stream(
    c: Context<Env>,
    body: ReadableStream<Uint8Array>,
    type: string,
  ): Response & TypedResponse<string, 200, 'text'>;
  /** A page that fetches nothing. */
  html(c: Context<Env>, page: string): Response & TypedResponse<string, 200, 'text'>;
  problem(c: Context<Env>, problem: ProblemDetails): ProblemAnswer;
}

/** What is told of an answer when it is made. */
export interface Answered {
  /** Of ours, as the document writes it; undefined for addresses that there are not. */
  route: Route | undefined;
  /** That a booking was asked for with. */
  strategy: string | undefined;
  /** `ok`, or the code of the problem. */
  outcome: string;
  tookMs: number;
}

export type OnAnswer = (answered: Answered) => void;

export type ProblemAnswer = Response & TypedResponse<Problem, ProblemStatus, 'json'>;

/** @param onAnswer called at once, on the way of each request: count and return */
export function createAnswers(instanceId: string, log: ProblemLog, onAnswer?: OnAnswer): Answers {
  const tell =
    onAnswer &&
    ((c: Context<Env>, outcome: string) => {
      // Neither is there where no route of ours was asked.
      const arrivedAtMs = c.get('arrivedAtMs') as number | undefined;
      const tookMs = arrivedAtMs === undefined ? 0 : performance.now() - arrivedAtMs;
      onAnswer({ route: c.get('route'), strategy: c.get('strategy'), outcome, tookMs });
    });
  const namesOf = (c: Context<Env>) => ({
    [INSTANCE_HEADER]: instanceId,
    [REQUEST_ID_HEADER]: requestIdOf(c),
  });
  return {
    json<Body, Status extends ContentfulStatusCode>(
      c: Context<Env>,
      status: Status,
      body: Body,
      headers?: Record<string, string>,
    ) {
      tell?.(c, 'ok');
      const response = new Response(JSON.stringify(body), {
        status,
        headers: {
          'content-type': 'application/json',
          ...namesOf(c),
          ...headers,
        },
      });
      return response as Response & TypedResponse<Body, Status, 'json'>;
    },
    unchanged(c, tag, more) {
      tell?.(c, 'ok');
      const headers = { etag: tag, ...namesOf(c), ...more };
      return new Response(null, { status: 304, headers }) as ReturnType<Answers['unchanged']>;
    },
    stream(c, body, type) {
      tell?.(c, 'ok');
      const headers = {
        'content-type': type,
        ...namesOf(c),
      };
      return new Response(body, { headers }) as ReturnType<Answers['stream']>;
    },
    html(c, page) {
      tell?.(c, 'ok');
      const response = new Response(page, {
        headers: {
          'content-type': 'text/html; charset=utf-8',
          'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
          ...namesOf(c),
        },
      });
      return response as ReturnType<Answers['html']>;
    },
    problem(c, problem) {
      tell?.(c, problem.code);
      logProblem(log, c, problem);
      const { body, ...init } = renderProblem(problem, { instanceId, requestId: requestIdOf(c) });
      return new Response(body, init) as ProblemAnswer;
    },
  };
}
