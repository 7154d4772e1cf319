import autocannon from 'autocannon';

import { readAnswer } from '../answer.ts';
import { bodyOf, createBook, headersOf, match, type Exchange, type Load, type Sent } from './exchange.ts';

/**
 * As many clients as connections, each of which sends its next request when it has the answer to the last one: for what
 * a guard can do, and what contention does to it. The client is autocannon. It loses requests without a word (one whose
 * connection is closed counts as no error, a time-out calls nobody back) and drops what is under way when it stops, so
 * every request is noted here when it is built and matched when its answer comes, and each connection ends with the
 * answer to its last request.
 */
export async function closedLoop(load: Load): Promise<Sent> {
  const { timing } = load;
  const limit = 'requests' in timing ? timing.requests : Infinity;
  const connections = Math.min(load.connections, limit);
  const book = createBook(load.runId);
  const clients: AutocannonClient[] = [];
  const window = { fromMs: performance.now(), untilMs: Infinity };
  let answered = 0;
  let strayAnswers = 0;
  let instance: autocannon.Instance | undefined;
  let edge: NodeJS.Timeout | undefined;

  // Each connection compares this with what it has sent, after every answer, and ends instead of sending more.
  function end(): void {
    for (const client of clients) client.responseMax = 1;
  }

  function open(windowMs?: number): void {
    window.fromMs = performance.now();
    load.onEdge('opened');
    if (windowMs !== undefined) edge = setTimeout(close, windowMs);
  }

  function close(): void {
    window.untilMs = performance.now();
    load.onEdge('closed');
    end();
  }

  function setUp(connection: AutocannonClient): void {
    clients.push(connection);
    const number = clients.length;
    const client = load.client(number);
    connection.setRequests([
      {
        // autocannon gives each request a fresh context and hands the same one back with the answer.
        setupRequest(request, context: { exchange?: Exchange }) {
          const ask = client.next();
          const now = performance.now();
          const exchange = book.note(number, ask, now, now);
          context.exchange = exchange;
          if (book.exchanges.length >= limit) end();
          // Each connection has one request under way; twice that without an answer means that all of them have lost one.
          // Nobody is listening: the rest need not wait for its time-outs too.
          if (book.exchanges.length - answered > 2 * connections) instance?.stop();
          const headers = { ...request.headers, ...headersOf(exchange) };
          return { ...request, ...load.request(ask), headers, body: bodyOf(exchange) };
        },
        onResponse(status, body, { exchange }: { exchange?: Exchange }, headers) {
          if (!exchange || exchange.answer) {
            strayAnswers += 1;
            return;
          }
          match(exchange, readAnswer(status, body, headers ?? {}, performance.now()), body);
          client.told?.(exchange);
          if (answered === 0 && !('requests' in timing)) {
            edge = setTimeout(open, timing.warmUpMs, timing.windowMs);
          }
          answered += 1;
        },
      },
    ]);
  }

  if ('requests' in timing) open();
  load.signal?.addEventListener('abort', end);
  const atLast = load.endsAfterMs === undefined ? undefined : setTimeout(end, load.endsAfterMs);
  const result = await new Promise<autocannon.Result>((resolve, reject) => {
    instance = autocannon(
      {
        url: load.url,
        method: 'POST',
        headers: load.headers,
        connections,
        // It wants a duration, but it is we who end it.
        duration: FOR_EVER_S,
        timeout: load.timeoutMs / 1_000,
        sampleInt: SAMPLE_MS,
        setupClient: (client) => setUp(client),
      },
      (error, result) => (error ? reject(error as Error) : resolve(result)),
    );
  });
  load.signal?.removeEventListener('abort', end);
  // Of one that was interrupted.
  clearTimeout(edge);
  clearTimeout(atLast);
  if ('requests' in timing) close();

  return {
    exchanges: book.exchanges,
    window,
    strayAnswers,
    counted: {
      sent: result.requests.sent,
      answered: Object.values(result.statusCodeStats ?? {}).reduce((sum, { count = 0 }) => sum + count, 0),
      timedOut: result.timeouts,
    },
    offeredPerS: null,
    achievedPerS: null,
  };
}

/** The part of autocannon's client that its option `maxConnectionRequests` sets, and that is read after each answer. */
type AutocannonClient = autocannon.Client & { responseMax?: number };

// How soon autocannon notices that its last connection has ended.
const SAMPLE_MS = 20;
const FOR_EVER_S = 3_600;
