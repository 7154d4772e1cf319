import { count } from '@lastseat/lab-frame/words.ts';

import type { Operation } from '../history/operation.ts';
import type { CounterOperation } from './counter.ts';
import { checkLinearizable, type Linearizability } from './search.ts';

export interface EventVerdict {
  event: number;
  result: Linearizability;
  /** What was told before and after, as a sentence; of what no order explains. */
  sentence: string | null;
}

/** Each event by itself: a history is linearizable if and only if each of its objects is. */
export function checkHistory(history: readonly Operation[], withinMs: number): EventVerdict[] {
  const byEvent = Map.groupBy(history, ({ event }) => event);
  return [...byEvent].flatMap(([event, operations]) => {
    const capacity = operations.find(({ operation }) => operation === 'create')?.quantity ?? null;
    if (capacity === null) return [];
    const ended = new Set(
      operations.flatMap(({ operation, booking }) => (operation === 'expire' ? [booking] : [])),
    );
    const unknown = operations.find(
      (one) => isHoldOfUnknownEnd(one) && !(one.settled === 'done' && ended.has(one.booking)),
    );
    if (unknown) return [{ event, result: undecided(unknown), sentence: UNDECIDED }];
    const result = checkLinearizable(capacity, counterOperations(operations), withinMs);
    return [{ event, result, sentence: sentenceOf(result) }];
  });
}

/** Nobody was told when it ends, so that its tickets may be free again at any time. */
function isHoldOfUnknownEnd({ operation, outcome, settled }: Operation): boolean {
  return operation === 'hold' && outcome === 'unknown' && settled !== 'not done';
}

const UNDECIDED =
  'not decided: a hold was asked for, and nobody was told whether and until when there is one';

function undecided(operation: Operation): Linearizability {
  const { startMs, endMs } = operation;
  const reached = {
    kind: 'give',
    amount: 0,
    label: labelOf(operation),
    startMs,
    endMs: endMs ?? Infinity,
  } as const;
  return { verdict: 'not decided', reached, orders: 0 };
}

function sentenceOf(result: Linearizability): string | null {
  if (result.verdict === 'linearizable') return null;
  if (result.verdict === 'not linearizable')
    return `no order of the operations explains ${result.culprit.label}`;
  return `not decided in time: ${result.orders.toLocaleString('en-US')} steps tried, up to ${result.reached.label}`;
}

/** What the operations of one event say of its free tickets; those that say nothing are left out. */
export function counterOperations(operations: readonly Operation[]): CounterOperation[] {
  // When a look at Postgres began that saw all that was done: nothing else was under way any more.
  const countedMs = operations.find(({ operation }) => operation === 'count')?.startMs ?? Infinity;
  const bookings = new Map<string, CounterOperation>();
  const takes = operations.flatMap((operation) => {
    const isTaking = operation.operation === 'book' || operation.operation === 'hold';
    const take = isTaking ? takeOf(operation, countedMs) : null;
    if (take?.kind === 'take' && operation.booking !== null) bookings.set(operation.booking, take);
    return take ?? [];
  });
  const ends = new Map<string, CounterOperation>();
  for (const operation of operations) {
    const { booking, quantity, startMs, endMs } = operation;
    if (operation.operation !== 'expire' || booking === null || quantity === null) continue;
    const span = { label: labelOf(operation), startMs, endMs: endMs ?? Infinity };
    ends.set(booking, {
      ...span,
      kind: 'give',
      amount: quantity,
      after: earlier(bookings.get(booking), span),
    });
  }
  const others = operations.flatMap((operation): CounterOperation | [] => {
    const { operation: kind, outcome, free, quantity, booking, startMs, endMs } = operation;
    const span = { label: labelOf(operation), startMs, endMs: endMs ?? Infinity };
    if (kind === 'count' && free !== null) {
      return { ...span, kind: 'read', amount: free, startMs: span.endMs };
    }
    if (kind === 'read' && outcome === 'ok' && free !== null) return { ...span, kind: 'read', amount: free };
    if (quantity === null || isWithoutEffect(operation)) return [];
    // A hold that is confirmed keeps its tickets, and takes them anew where it has ended before.
    const end = booking === null ? undefined : ends.get(booking);
    if (kind === 'confirm' && end) {
      const after = earlier(end, span);
      return { ...span, kind: 'take', amount: quantity, after, ...openEnd(operation, countedMs) };
    }
    if (kind !== 'cancel') return [];
    const after = earlier(booking === null ? undefined : bookings.get(booking), span);
    return { ...span, kind: 'give', amount: quantity, after, ...openEnd(operation, countedMs) };
  });
  return [...takes, ...ends.values(), ...others];
}

/** Only where their times do not say it already: an order that need not be looked at costs nothing. */
function earlier(
  one: CounterOperation | undefined,
  { startMs }: Pick<CounterOperation, 'startMs'>,
): CounterOperation | undefined {
  return one && one.endMs >= startMs ? one : undefined;
}

function takeOf(operation: Operation, countedMs: number): CounterOperation | null {
  const { quantity, outcome, answer, startMs, endMs } = operation;
  if (quantity === null) return null;
  const span = { label: labelOf(operation), amount: quantity, startMs, endMs: endMs ?? Infinity };
  if (outcome === 'rejected') return isWithoutTickets(answer) ? { ...span, kind: 'refuse' } : null;
  if (isWithoutEffect(operation)) return null;
  return { ...span, kind: 'take', ...openEnd(operation, countedMs) };
}

function isWithoutTickets(answer: string | null): boolean {
  return answer === 'sold_out' || answer === 'all_held';
}

function isWithoutEffect({ outcome, settled }: Operation): boolean {
  return outcome === 'rejected' || settled === 'not done';
}

/** Of unknown end: it may have happened long after an answer that says nothing; or never, if it has no row. */
function openEnd({ outcome, settled }: Operation, countedMs: number): Partial<CounterOperation> {
  if (outcome !== 'unknown') return {};
  return settled === 'done' ? { endMs: countedMs } : { endMs: Infinity, mayBeMissing: true };
}

function labelOf({ operation, client, customer, quantity, free, answer }: Operation): string {
  const who = customer ?? `client ${client}`;
  const asked = count(quantity ?? 0, 'ticket');
  if (operation === 'count') return `what Postgres holds at the end, ${count(free ?? 0, 'free ticket')}`;
  if (operation === 'read') return `that ${who} read ${count(free ?? 0, 'free ticket')}`;
  if (operation === 'cancel') return `that ${who} gave ${asked} back`;
  if (operation === 'expire') return `that a hold of ${asked} ended`;
  if (operation === 'confirm') return `that ${who} confirmed ${asked}`;
  return `that ${who}, who asked for ${asked}, was told ${answer ?? 'nothing'}`;
}
