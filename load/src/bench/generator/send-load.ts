import { randomUUID } from 'node:crypto';

import { IDEMPOTENCY_KEY_HEADER } from '@lastseat/booking/contract';
import { createLatencyLog } from '@lastseat/lab-frame/latency.ts';
import autocannon from 'autocannon';

import type { Latency } from '../measurements.ts';

/**
 * One measured load on one address. The client is autocannon, and two of its habits are kept from spoiling the books:
 *
 * - when it stops it drops what is under way, and a booking that nobody hears of is booked all the same. Here every
 *   connection ends with the answer to its last request, so that all that was started is answered;
 * - a connection that breaks loses its request without a word. Such a one is `started` and never `answered`.
 */

export interface FixedLoad {
  /** Where to: connections are dealt out evenly. */
  origins: string[];
  /** Several: each connection asks for all of them, in an order of its own, again and again. */
  paths: string[];
  body: string;
  /** Each request has an idempotency key of its own; then there is one path. */
  hasKeys?: boolean;
  /** Each request names a customer of its own; then there is one path. */
  hasCustomers?: boolean;
  connections: number;
  timing: Timing;
}

/** Either a window after a warm-up that is not counted, or so many requests from the first to the last. */
export type Timing = { warmUpMs: number; windowMs: number } | { requests: number };

export interface LoadResult {
  started: number;
  answered: number;
  /** Answers by status, from the first to the last. */
  statuses: Record<string, number>;
  window: {
    ms: number;
    /** Answered inside the window: with 201, and with anything else. */
    booked: number;
    refused: number;
    /**
     * Of the bookings that were under way at any time in the window. Those that it closed upon are waited for: without
     * them a guard that makes buyers wait for longer than the window would look quick.
     */
    latencyMs: Latency | null;
  };
}

export type Edge = 'opened' | 'closed';

// Longer than any answer of the stack can take: nginx gives up after ten seconds.
const TIMEOUT_S = 12;

// How soon autocannon notices that its last connection has ended.
const SAMPLE_MS = 20;

// It wants a duration, but it is we who end it.
const FOR_EVER_S = 3_600;

/**
 * Where each request is unlike all others, so many are made before the load begins: more than the stack answers in a
 * window. autocannon takes 15 us to make one, on processors that it shares with what it measures.
 */
const MADE_BEFORE = 20_000;

/**
 * @param after calls something back once so many milliseconds have passed; tests have other ideas of time
 * @param madeBefore and of how many requests are enough
 */
export async function sendLoad(
  load: FixedLoad,
  onEdge: (edge: Edge) => void = () => {},
  after: (callback: () => void, ms: number) => void = setTimeout,
  madeBefore = MADE_BEFORE,
): Promise<LoadResult> {
  const { timing } = load;
  const clients: Client[] = [];
  const isEachUnlike = load.hasKeys === true || load.hasCustomers === true;
  const madeForEach = Math.ceil(madeBefore / load.connections);
  /** How many of them have been answered, where each is used once. */
  const used = new Map<autocannon.Client, number>();
  const latencies = createLatencyLog();
  const statuses: Record<string, number> = {};
  let answered = 0;
  let booked = 0;
  let refused = 0;
  let phase: 'warming up' | 'open' | 'closed' = 'requests' in timing ? 'open' : 'warming up';
  let openedAtMs = performance.now();
  let closedAtMs = 0;

  function open(): void {
    phase = 'open';
    openedAtMs = performance.now();
    onEdge('opened');
  }

  function close(): void {
    phase = 'closed';
    closedAtMs = performance.now();
    onEdge('closed');
    // Each connection compares this with what it has sent after every answer, and ends instead of sending more.
    for (const client of clients) client.responseMax = 1;
  }

  function onFirstAnswer(): void {
    if ('requests' in timing) return;
    after(open, timing.warmUpMs);
    after(close, timing.warmUpMs + timing.windowMs);
  }

  function onResponse(client: autocannon.Client, status: number, _bytes: number, latencyMs: number): void {
    if (answered === 0) onFirstAnswer();
    answered += 1;
    statuses[status] = (statuses[status] ?? 0) + 1;
    if (isEachUnlike) {
      const count = (used.get(client) ?? 0) + 1;
      used.set(client, count);
      // It has not sent its next request yet, and would begin again with the first.
      if (count % madeForEach === 0) client.setRequests(unlikeRequests(load, madeForEach));
    }
    if (status === 201 && phase !== 'warming up') latencies.add(latencyMs);
    if (phase !== 'open') return;
    if (status === 201) booked += 1;
    else refused += 1;
    if ('requests' in timing) closedAtMs = performance.now();
  }

  const result = await new Promise<autocannon.Result>((resolve, reject) => {
    const instance = autocannon(
      {
        // Its types know one address only.
        url: load.origins.map((origin) => new URL(load.paths[0] ?? '/', origin).href) as unknown as string,
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: load.body,
        connections: load.connections,
        timeout: TIMEOUT_S,
        sampleInt: SAMPLE_MS,
        ...('requests' in timing ? { amount: timing.requests } : { duration: FOR_EVER_S }),
        setupClient: (client) => {
          clients.push(client);
          if (isEachUnlike) client.setRequests(unlikeRequests(load, madeForEach));
          if (load.paths.length > 1) client.setRequests(shuffled(load.paths).map((path) => ({ path })));
        },
      },
      (error, result) => {
        if (error) reject(error as Error);
        else resolve(result);
      },
    );
    instance.on('response', onResponse);
    if ('requests' in timing) onEdge('opened');
  });
  if ('requests' in timing) onEdge('closed');

  return {
    started: result.requests.sent,
    answered,
    statuses,
    window: {
      ms: closedAtMs - openedAtMs,
      booked,
      refused,
      latencyMs: inShort(latencies.summary()),
    },
  };
}

/** The part of autocannon's client that is set by its option `maxConnectionRequests`, and read after each answer. */
type Client = autocannon.Client & { responseMax?: number };

function inShort(latency: Latency | null): Latency | null {
  return latency && { p50: latency.p50, p99: latency.p99, max: latency.max };
}

function unlikeRequests({ body, hasKeys, hasCustomers }: FixedLoad, count: number): autocannon.Request[] {
  const booking = hasCustomers ? (JSON.parse(body) as object) : {};
  return Array.from({ length: count }, () => ({
    ...(hasKeys && { headers: { [IDEMPOTENCY_KEY_HEADER]: randomUUID() } }),
    ...(hasCustomers && { body: JSON.stringify({ ...booking, customer: randomUUID() }) }),
  }));
}

/** Fisher and Yates. */
function shuffled<T>(things: readonly T[]): T[] {
  const result = [...things];
  for (let last = result.length - 1; last > 0; last -= 1) {
    const other = Math.floor(Math.random() * (last + 1));
    [result[last], result[other]] = [result[other] as T, result[last] as T];
  }
  return result;
}
