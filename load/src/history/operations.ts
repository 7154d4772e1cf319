import type { Attempt } from '../attempt.ts';
import { outcomeOf, type Exchange } from '../generators/exchange.ts';
import { isUnknown } from '../tally.ts';
import type { Truth, UnconfirmedHold } from '../truth.ts';
import { onMachineClock, onWallClock } from './clock.ts';
import type { Operation, Settled } from './operation.ts';

/** What all operations of one run have in common. */
export interface Sale {
  event: number;
  strategy: string;
  /** Tickets that each buyer asks for. */
  quantity: number;
}

/** A generator may know which of its clients has asked, and when it was to. */
type Scheduled = Attempt & Partial<Pick<Exchange, 'client' | 'intendedAtMs' | 'ask'>>;

/** From and to a time of `performance.now()`. */
export interface Span {
  startMs: number;
  endMs: number | null;
}

export function createOperation({ event }: Sale, tickets: number, span: Span): Operation {
  return {
    ...nothing,
    operation: 'create',
    event,
    quantity: tickets,
    free: tickets,
    outcome: 'ok',
    ...timesOf(span),
  };
}

/** An attempt that was answered, and is not of unknown end. */
export function answeredOperation(sale: Sale, attempt: Attempt): Operation {
  const { answer } = attempt;
  return { ...bookOperation(sale, attempt), outcome: answer?.code === 'booked' ? 'ok' : 'rejected' };
}

export function unknownOperation(
  sale: Sale,
  attempt: Attempt,
  { settled, booking, isLookedUp }: { settled: Settled; booking: string | null; isLookedUp: boolean },
): Operation {
  return { ...bookOperation(sale, attempt), outcome: 'unknown', booking, settled, isLookedUp };
}

/**
 * A confirmation, a cancellation or a read, with what it has told. Of one of unknown end Postgres knows whether the row is
 * there, or gone.
 */
export function otherOperation(sale: Sale, exchange: Exchange, truth: Truth): Operation {
  const { ask, answer, free } = exchange;
  const outcome = outcomeOf(exchange);
  const isOk = outcome === 'confirmed' || outcome === 'cancelled' || outcome === 'read';
  const booking = 'bookingId' in ask ? ask.bookingId : null;
  const isThere = truth.rows.some(({ id }) => id === booking);
  return {
    ...bookOperation(sale, exchange),
    operation: ask.operation,
    strategy: null,
    quantity: 'quantity' in ask ? ask.quantity : null,
    free,
    outcome: isOk ? 'ok' : outcome === 'unknown' ? 'unknown' : 'rejected',
    answer: isOk ? outcome : (answer?.code ?? null),
    customer: null,
    booking,
    ...(outcome === 'unknown' && {
      settled: isThere === (ask.operation === 'confirm') ? 'done' : 'not done',
    }),
  };
}

/** What Postgres holds: `free` by its rows, whatever its counter says. */
export function countOperation({ event }: Sale, truth: Truth, span: Span): Operation {
  const sold = truth.rows.reduce((sum, { quantity }) => sum + quantity, 0);
  return {
    ...nothing,
    operation: 'count',
    event,
    quantity: sold,
    free: truth.capacity - sold,
    outcome: 'ok',
    ...timesOf(span),
  };
}

/** What nobody has asked for, and has happened. */
export function derivedOperation(
  { event }: Sale,
  { span, ...facts }: Pick<Operation, 'operation' | 'quantity' | 'booking'> & { span: Span },
): Operation {
  return { ...nothing, event, outcome: 'ok', ...facts, ...timesOf(span) };
}

function bookOperation({ event, strategy, quantity }: Sale, attempt: Scheduled): Omit<Operation, 'outcome'> {
  const { answer } = attempt;
  return {
    ...nothing,
    operation: attempt.ask?.operation === 'hold' ? 'hold' : 'book',
    client: attempt.client ?? attempt.buyer,
    event,
    strategy,
    quantity,
    answer: answer?.code ?? null,
    ...timesOf({ startMs: attempt.startedAtMs, endMs: answer?.receivedAtMs ?? null }, attempt.intendedAtMs),
    instance: answer?.instanceId ?? null,
    customer: attempt.customer,
    request: answer?.requestId ?? null,
    booking: answer?.booking?.bookingId ?? null,
    token: answer?.booking?.fencingToken ?? null,
  };
}

const nothing = {
  client: 0,
  strategy: null,
  quantity: null,
  free: null,
  answer: null,
  instance: null,
  customer: null,
  request: null,
  booking: null,
  token: null,
};

type Times = Pick<Operation, 'intendedMs' | 'startMs' | 'endMs' | 'startedAt' | 'endedAt'>;

// Without a schedule each buyer asks as soon as there is a connection.
function timesOf({ startMs, endMs }: Span, intendedAtMs = startMs): Times {
  return {
    intendedMs: onMachineClock(intendedAtMs),
    startMs: onMachineClock(startMs),
    endMs: endMs === null ? null : onMachineClock(endMs),
    startedAt: onWallClock(startMs),
    endedAt: endMs === null ? null : onWallClock(endMs),
  };
}

export interface RunOfSale {
  sale: Sale;
  tickets: number;
  attempts: readonly Attempt[];
  truth: Truth;
  lookUps: ReadonlyMap<string, string | null>;
  /** Of those that ended unknown, the holds that there were. */
  heldUnknown?: readonly Pick<UnconfirmedHold, 'id' | 'customer'>[];
  /** Whether Postgres was read only after the service had given up what was of unknown end. */
  isSettled: boolean;
  created: Span;
  counted: Span;
}

/** Everything after the answers: those of unknown end, as far as they could be settled, and what Postgres holds. */
export function closingOperations(run: RunOfSale): Operation[] {
  const { sale, attempts, truth, lookUps, heldUnknown = [], isSettled, counted } = run;
  const rowOf = new Map([...heldUnknown, ...truth.rows].map((row) => [row.customer, row]));
  const unknown = attempts.filter(isUnknown).map((attempt) => {
    const row = rowOf.get(attempt.customer);
    const notDone = isSettled ? 'not done' : 'open';
    const isLookedUp = lookUps.get(attempt.customer) === (row?.id ?? null);
    return unknownOperation(sale, attempt, {
      settled: row ? 'done' : notDone,
      booking: row?.id ?? null,
      isLookedUp,
    });
  });
  return [...unknown, countOperation(sale, truth, counted)];
}

/** The whole of it, in the order in which it ended. */
export function historyOf(run: RunOfSale): Operation[] {
  const answered = run.attempts.filter((attempt) => !isUnknown(attempt));
  return [
    createOperation(run.sale, run.tickets, run.created),
    ...answered
      .map((attempt) => answeredOperation(run.sale, attempt))
      .sort((a, b) => (a.endMs ?? 0) - (b.endMs ?? 0)),
    ...closingOperations(run),
  ];
}
