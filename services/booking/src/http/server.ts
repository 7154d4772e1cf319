import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Server as NetServer, type AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';

import { getRequestListener, type HttpBindings, RequestError } from '@hono/node-server';
import type { Hono } from 'hono';

import { REQUEST_ID_HEADER, type Problem } from '#src/contract.ts';
import { KEEP_ALIVE_TIMEOUT_MS } from '#src/time-limits.ts';

import type { ProblemLog } from './log-problem.ts';
import { type ProblemDetails, renderProblem } from './problem.ts';
import type { Env } from './read-input.ts';
import { acceptRequestId } from './request-id.ts';
import { isStillThere, watchStalls } from './stall-watch.ts';

/**
 * Connections that the kernel may keep until Node takes them. Node's 511 are fewer than a crowd, and a proxy whose
 * connection is dropped tries again only after a second. The kernel cuts it to its own limit.
 */
const BACKLOG = 4096;

/** Turns of the event loop to wait for one without a new connection; in a storm of them there may be none. */
const MAX_TURNS = 100;

/** How often a server that stops closes what has become idle: what the exit of a replica may wait for nothing. */
const SWEEP_INTERVAL_MS = 50;

/** Headers and bodies are a few hundred bytes: whoever needs longer than this is slow on purpose. */
const HEADERS_TIMEOUT_MS = 5_000;
const REQUEST_TIMEOUT_MS = 10_000;

/** How often Node looks for such connections; its default of 30 s would make the limits above meaningless. */
const CHECK_INTERVAL_MS = 2_000;

export interface HttpServer {
  /** The port that it listens on. */
  port: number;
  /**
   * Stops without losing a request. New connections are refused at once, which a proxy notices before it has sent a
   * byte, and turns elsewhere. Those that exist are served on, each told to close with its next answer; idle ones are
   * left to the proxy for `delayMs`, because closing one may cut off a request that is on its way. Then what is still
   * under way has `graceMs` to end.
   * @returns whether all of it did
   */
  drain(options: { delayMs: number; graceMs: number }): Promise<boolean>;
}

export interface ListenOptions {
  host: string;
  port: number;
  instanceId: string;
  log: ProblemLog;
  /** Answers a request, and makes a span of it. */
  aroundRequest?:
    | ((incoming: IncomingMessage, answer: () => Promise<Response>) => Promise<Response>)
    | undefined;
  /** Told when the process has stood still: for how long. */
  onStall?: ((stalledMs: number) => void) | undefined;
}

export async function listen(app: Hono<Env>, options: ListenOptions): Promise<HttpServer> {
  const { host, port, instanceId, log, aroundRequest, onStall } = options;
  let isDraining = false;
  const namesFor = (requestId: unknown) => ({ instanceId, requestId: acceptRequestId(requestId) });
  const fetch =
    aroundRequest === undefined
      ? (request: Request, bindings: HttpBindings) => app.fetch(request, bindings)
      : (request: Request, bindings: HttpBindings) =>
          aroundRequest(bindings.incoming, async () => app.fetch(request, bindings));
  const answer = getRequestListener((request, bindings) => fetch(request, bindings as HttpBindings), {
    errorHandler(error) {
      const names = namesFor(undefined);
      const problem = problemOf(error);
      // What the app itself has thrown and not answered: nothing that is an error passes it.
      if (problem.code === 'internal') log.error({ err: error, ...names, code: 'internal' }, problem.detail);
      const { body, ...init } = renderProblem(problem, names);
      return new Response(body, init);
    },
  });
  const stalls = watchStalls(onStall);
  const server = createServer(
    {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      connectionsCheckingInterval: CHECK_INTERVAL_MS,
      // Refused by us, so that the refusal names its instance like any other.
      requireHostHeader: false,
    },
    (incoming, outgoing) => {
      if (isDraining) outgoing.shouldKeepAlive = false;
      if (stalls.isAfterStall()) void answerUnlessGone(incoming, outgoing);
      else void answer(incoming, outgoing);
    },
  );
  server.once('close', () => stalls[Symbol.dispose]());

  async function answerUnlessGone(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    if (await isStillThere(incoming)) await answer(incoming, outgoing);
  }

  server.on('checkExpectation', ({ headers: asked }, outgoing) => {
    const detail = `Nobody here can expect "${asked.expect}".`;
    const names = namesFor(asked[REQUEST_ID_HEADER]);
    const { status, headers, body } = renderProblem({ code: 'expectation_failed', detail }, names);
    outgoing.writeHead(status, headers).end(body);
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    answerUnreadable(error, socket, namesFor(undefined));
  });

  server.listen({ port, host, backlog: BACKLOG });
  await once(server, 'listening');

  return {
    port: (server.address() as AddressInfo).port,
    async drain({ delayMs, graceMs }) {
      isDraining = true;
      const closed = once(server, 'close').then(() => true);
      await stopAccepting(server);
      if (await within(delayMs, closed)) return true;
      // Again and again: an answer that was begun before the drain has not told its connection to close.
      // After a turn that read what had arrived: timers come first, so that after a moment in which the process stood
      // still, a connection may look idle that has a request in it.
      const sweep = setInterval(() => setImmediate(() => server.closeIdleConnections()), SWEEP_INTERVAL_MS);
      const isClean = await within(graceMs, closed);
      clearInterval(sweep);
      server.closeAllConnections();
      return isClean;
    },
  };
}

/**
 * Closes the door, and leaves alone who is inside. Connections that the kernel has made and Node has not yet taken are
 * reset with it, and a request in one of them is lost: so it happens right after a turn that took all there were and
 * found none.
 */
async function stopAccepting(server: Server): Promise<void> {
  let hasAccepted = true;
  const note = () => {
    hasAccepted = true;
  };
  server.on('connection', note);
  // The first turn may be the one that brought the signal, and half over.
  for (let turns = 0; turns < 2 || (hasAccepted && turns < MAX_TURNS); turns += 1) {
    hasAccepted = false;
    await turn();
  }
  server.off('connection', note);
  // Not the method of `http.Server`, which closes idle connections too.
  NetServer.prototype.close.call(server);
}

async function within(timeoutMs: number, closed: Promise<boolean>): Promise<boolean> {
  const timeout = new AbortController();
  const expired = sleep(timeoutMs, false, { signal: timeout.signal }).catch(() => true);
  try {
    return await Promise.race([closed, expired]);
  } finally {
    timeout.abort();
  }
}

function problemOf(error: unknown): ProblemDetails {
  if (error instanceof RequestError) return { code: 'bad_request', detail: `${error.message}.` };
  return { code: 'internal', detail: 'An unexpected error; the log of the instance tells more.' };
}

/** What Node could not even parse never reaches the app; it is answered on the bare socket. */
function answerUnreadable(
  error: NodeJS.ErrnoException,
  socket: Duplex,
  names: Pick<Problem, 'instanceId' | 'requestId'>,
): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const { status, headers, body } = renderProblem(unreadable(error), names);
  const lines = Object.entries({
    ...headers,
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
  }).map(([name, value]) => `${name}: ${value}`);
  socket.end(`HTTP/1.1 ${status} \r\n${lines.join('\r\n')}\r\n\r\n${body}`);
}

function unreadable({ code }: NodeJS.ErrnoException): ProblemDetails {
  if (code === 'HPE_HEADER_OVERFLOW')
    return { code: 'headers_too_large', detail: 'The headers are too large.' };
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return { code: 'request_timeout', detail: `A request must arrive within ${REQUEST_TIMEOUT_MS} ms.` };
  }
  return { code: 'bad_request', detail: 'This is not HTTP.' };
}
