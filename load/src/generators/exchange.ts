import { IDEMPOTENCY_KEY_HEADER } from '@lastseat/booking/contract';

import type { Answer } from '../answer.ts';
import type { Attempt } from '../attempt.ts';
import type { Outcome } from '../runs/run.ts';

/** What a client asks for. `event` is the position of the event among those of the slice. */
export type Ask =
  | { operation: 'book'; event: number; quantity: number; key?: Key; buyer?: Buyer }
  | { operation: 'hold'; event: number; quantity: number; seconds: number }
  | { operation: 'confirm'; event: number; quantity: number; bookingId: string }
  | { operation: 'cancel'; event: number; quantity: number; bookingId: string }
  | { operation: 'read'; event: number };

/** What is to be booked once, however often it is asked for: so many a run, each with a customer of its own. */
export interface Key {
  number: number;
  text: string;
}

/** Who asks, and for the how many-th time; without it each request has a buyer of its own. */
export type Buyer = Pick<Attempt, 'buyer' | 'number'>;

/** One client of a workload: it is asked for its next request when it has the answer to the last one. */
export interface Client {
  next(): Ask;
  told?(exchange: Exchange): void;
}

/** One request, and what came of it. */
export interface Exchange extends Attempt {
  ask: Ask;
  /** Numbered from 1; 0 is the harness itself. */
  client: number;
  /** When it was to be sent. Latencies run from here: a generator that is late does not make a service look quick. */
  intendedAtMs: number;
  /** Of a read that was answered: tickets that are free. */
  free: number | null;
}

/** A load on one address: what a generator is given. */
export interface Load {
  /** nginx. */
  url: string;
  connections: number;
  /** So many requests from the first to the last, or a window after a warm-up that is not counted. */
  timing: { requests: number } | { warmUpMs: number; windowMs: number };
  timeoutMs: number;
  /** After so long nobody asks any more, however many requests are left. */
  endsAfterMs?: number | undefined;
  /** Nobody asks any more; what is under way is waited for. */
  signal?: AbortSignal | undefined;
  /** Unique in the database: every customer's name carries it. */
  runId: string;
  client(number: number): Client;
  request(ask: Ask): { method: 'POST' | 'DELETE' | 'GET'; path: string };
  headers: Record<string, string>;
  /** Called as the window opens and as it closes. */
  onEdge(edge: 'opened' | 'closed'): void;
}

/** What a generator has sent, and how well it kept up. */
export interface Sent {
  exchanges: Exchange[];
  window: { fromMs: number; untilMs: number };
  /** Answers that no request was waiting for. */
  strayAnswers: number;
  /** What the client library itself counted; null of one that loses nothing without a word. */
  counted: { sent: number; answered: number; timedOut: number } | null;
  /** Of an open loop. */
  offeredPerS: number | null;
  achievedPerS: number | null;
}

export function outcomeOf({ ask, answer }: Pick<Exchange, 'ask' | 'answer'>): Outcome {
  if (answer === null || answer.code === 'unknown') return 'unknown';
  if (answer.code === 'busy' || answer.code === 'unavailable') return 'busy';
  if (answer.code.startsWith('http_5')) return 'unknown';
  if (ask.operation === 'book') return answer.code === 'booked' ? 'booked' : 'refused';
  // Its answer is that to a booking, with the time of its end.
  if (ask.operation === 'hold') return answer.code === 'booked' ? 'held' : 'refused';
  return answer.status === 200 ? DONE[ask.operation] : 'refused';
}

const DONE = { confirm: 'confirmed', cancel: 'cancelled', read: 'read' } as const;

/** What every request of a run has beside its address. */
export function createBook(runId: string) {
  const exchanges: Exchange[] = [];
  return {
    exchanges,
    note(client: number, ask: Ask, intendedAtMs: number, startedAtMs: number): Exchange {
      const { buyer, number }: Buyer = (ask.operation === 'book' && ask.buyer) || {
        buyer: exchanges.length + 1,
        number: 1,
      };
      const key = ask.operation === 'book' ? ask.key : undefined;
      const name = `run-${runId}-buyer-${String(key?.number ?? buyer).padStart(6, '0')}`;
      const repeated = number === 1 ? name : `${name}-try-${number}`;
      const customer = key ? `${name}-${key.text}` : repeated;
      const exchange: Exchange = {
        ask,
        client,
        buyer,
        number,
        customer,
        intendedAtMs,
        startedAtMs,
        answer: null,
        free: null,
      };
      exchanges.push(exchange);
      return exchange;
    },
  };
}

export function bodyOf({ ask, customer }: Exchange): string {
  if (ask.operation === 'book') return JSON.stringify({ customer, quantity: ask.quantity });
  if (ask.operation !== 'hold') return '';
  return JSON.stringify({ customer, quantity: ask.quantity, seconds: ask.seconds });
}

export function headersOf({ ask, customer }: Exchange): Record<string, string> {
  const isRepeated = ask.operation === 'book' && ask.key !== undefined;
  return isRepeated ? { [IDEMPOTENCY_KEY_HEADER]: customer } : {};
}

export function match(exchange: Exchange, answer: Answer, body: string): void {
  exchange.answer = answer;
  if (exchange.ask.operation === 'read' && answer.status === 200) exchange.free = availableIn(body);
}

function availableIn(body: string): number | null {
  try {
    const { available } = JSON.parse(body) as { available?: unknown };
    return typeof available === 'number' ? available : null;
  } catch {
    return null;
  }
}

/** The run that a buyer belongs to; null if it is nobody of a run. */
export function runIdOf(customer: string): string | null {
  return /^run-([\da-f]{8})-buyer-\d{6}/.exec(customer)?.[1] ?? null;
}
