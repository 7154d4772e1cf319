import type { CounterOperation } from '../load/src/linearizability/counter.ts';
import { checkLinearizable } from '../load/src/linearizability/search.ts';
import type { History, Operation } from './history.ts';

/** Seldom needed; a history has a dozen operations. */
const DECIDED_WITHIN_MS = 5_000;

/** What is wrong with a history, a sentence each; empty if nothing is. */
export function findProblems(history: History): string[] {
  return [
    ...history.breaches,
    ...countersAgainstRows(history),
    ...answersAgainstRows(history),
    ...bookedTwice(history),
    ...tokensInCommitOrder(history),
    ...equalTokens(history),
    ...orderOfAnswers(history),
  ];
}

function countersAgainstRows({ stocks, bookings }: History): string[] {
  return stocks.flatMap(({ event_id, capacity, available }) => {
    const sold = bookings
      .filter((row) => row.event_id === event_id && row.state === 'confirmed')
      .reduce((sum, { quantity }) => sum + quantity, 0);
    if (sold > capacity) return [`event ${event_id} is oversold: ${sold} of ${capacity}`];
    if (available + sold !== capacity) {
      return [
        `event ${event_id} has sold ${sold} of ${capacity}, and its counter says that ${available} are left`,
      ];
    }
    return [];
  });
}

function answersAgainstRows({ operations, bookings }: History): string[] {
  const byId = new Map(bookings.map((row) => [row.id, row]));
  return operations.flatMap(({ id, do: what, bookingId, answer }) => {
    const row = byId.get(bookingId);
    if (what === 'cancel') {
      const isCancelled = row?.state === 'cancelled';
      if (answer.is === 'cancelled' && !isCancelled)
        return [`${id} was told cancelled, and the booking stands`];
      return [];
    }
    if (what === 'read') return [];
    if (answer.is === 'booked' && row === undefined) return [`${id} was told booked, and there is no row`];
    if (answer.is === 'booked' && row?.fencing_token !== answer.token) {
      return [`${id} was told token ${answer.token}, and its row has ${row?.fencing_token}`];
    }
    if (answer.is === 'booked before' && !byId.has(answer.bookingId)) {
      return [`${id} was told of an earlier booking, and there is none`];
    }
    const isRefused = answer.is === 'sold out' || answer.is === 'failed';
    return isRefused && row !== undefined ? [`${id} was told ${answer.is}, and it is booked`] : [];
  });
}

/** One request, one booking, however often it is sent. */
function bookedTwice({ operations, bookings }: History): string[] {
  const rows = new Set(bookings.map(({ id }) => id));
  const first = new Map<string, string>();
  return operations.flatMap(({ id, do: what, requestId, bookingId }) => {
    if (!(what === 'book' || what === 'repeat') || !rows.has(bookingId)) return [];
    const other = first.get(requestId);
    first.set(requestId, id);
    return other === undefined ? [] : [`${id} repeats the request of ${other}, and both are booked`];
  });
}

/** The fence: in the order of the commits no token is smaller than one before it. */
function tokensInCommitOrder({ bookings, stocks }: History): string[] {
  return stocks.flatMap(({ event_id }) => {
    const inOrder = bookings
      .filter((row) => row.event_id === event_id)
      .sort((a, b) => a.stock_revision - b.stock_revision);
    let last = 0;
    for (const { fencing_token, id } of inOrder) {
      if (fencing_token === null) continue;
      if (fencing_token < last) return [`${id} was committed under token ${fencing_token}, after ${last}`];
      last = fencing_token;
    }
    return [];
  });
}

/** Two leases with one token: the fence could not tell their holders apart. */
function equalTokens({ leases }: History): string[] {
  const seen = new Map<string, string>();
  return leases.flatMap(({ name, token, replica }) => {
    const key = `${name} ${token}`;
    const other = seen.get(key);
    seen.set(key, replica);
    return other === undefined
      ? []
      : [`${other} and ${replica} had leases of ${name} with the same token ${token}`];
  });
}

/** Whether one order of all operations explains all answers, as if they had been made one by one. */
function orderOfAnswers(history: History): string[] {
  return history.stocks.flatMap(({ event_id, capacity, available }) => {
    const operations = counterOperations(history, event_id);
    const end = { kind: 'read', amount: available, label: 'what is left at the end' } as const;
    const last = { ...end, startMs: history.endedMs + 1, endMs: history.endedMs + 2 };
    const result = checkLinearizable(capacity, [...operations, last], DECIDED_WITHIN_MS);
    if (result.verdict === 'linearizable') return [];
    if (result.verdict === 'not decided')
      return ['not decided in time whether an order explains all answers'];
    return [`event ${event_id}: no order of the operations explains ${result.culprit.label}`];
  });
}

function counterOperations({ operations, bookings, endedMs }: History, eventId: number): CounterOperation[] {
  const rows = new Map(bookings.map((row) => [row.id, row]));
  const takes = new Map<string, CounterOperation>();
  const found: CounterOperation[] = [];
  for (const operation of operations) {
    if (operation.eventId !== eventId) continue;
    const { do: what, quantity: amount, answer, startMs, bookingId } = operation;
    // Nothing happens any more at the end: what nobody was told the end of has ended by then.
    const endMs = answer.is === 'unknown' ? endedMs : Math.min(operation.endMs, endedMs);
    const span = { label: labelOf(operation), amount, startMs, endMs };
    if (answer.is === 'read') found.push({ ...span, kind: 'read', amount: answer.free });
    else if (answer.is === 'sold out') found.push({ ...span, kind: 'refuse' });
    else if (what === 'cancel') {
      const isDone = rows.get(bookingId)?.state === 'cancelled';
      const mayBeIt = answer.is === 'cancelled' || (answer.is === 'unknown' && isDone);
      if (mayBeIt) found.push({ ...span, kind: 'give', after: takes.get(bookingId) });
    } else if (rows.has(bookingId)) {
      const take = { ...span, kind: 'take' } as const;
      takes.set(bookingId, take);
      found.push(take);
    }
  }
  // Several cancellations of one booking: one of them was it.
  return withoutDoubleGifts(found);
}

function withoutDoubleGifts(operations: readonly CounterOperation[]): CounterOperation[] {
  const given = new Map<CounterOperation, CounterOperation>();
  return operations.flatMap((operation) => {
    const { kind, after } = operation;
    if (kind !== 'give' || after === undefined) return [operation];
    const other = given.get(after);
    given.set(after, operation);
    return other === undefined ? [operation] : [];
  });
}

function labelOf({ id, do: what, quantity, answer }: Operation): string {
  return `${id}, which asked to ${what} ${quantity} and was told ${answer.is === 'read' ? `${answer.free} free` : answer.is}`;
}
