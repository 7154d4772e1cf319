import { changeOf, isPossible, type CounterOperation } from '#src/linearizability/counter.ts';

/** Numbers that look random and are the same for the same seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface Shape {
  seed: number;
  clients: number;
  operations: number;
  capacity: number;
  mostTickets: number;
  /** Shares of cancellations and reads; the rest books. */
  cancels: number;
  reads: number;
  /** Share of operations that nobody was told the end of. */
  lost?: number;
  /** A cancellation names the booking that it must follow, and may come while that is still under way. */
  inOrder?: boolean;
}

/** What clients are told by a counter that is right: each operation happens at a moment between its start and its end. */
export function rightHistory(shape: Shape): CounterOperation[] {
  const { seed, clients, operations, capacity, mostTickets, cancels, reads } = shape;
  const { lost = 0, inOrder = false } = shape;
  const random = randomOf(seed);
  let free = capacity;
  const owned: { amount: number; booking: CounterOperation }[] = [];
  const history: CounterOperation[] = [];
  // Each client begins again when its last operation has ended.
  const nextStart = Array.from({ length: clients }, () => random() * 2);
  const planned = Array.from({ length: operations }, () => {
    const client = nextStart.indexOf(Math.min(...nextStart));
    const startMs = nextStart[client]!;
    const endMs = startMs + 0.2 + random() * 3;
    nextStart[client] = endMs + random() * 0.2;
    return { client, startMs, endMs, atMs: startMs + random() * (endMs - startMs) };
  });
  for (const { client, startMs, endMs, atMs } of planned.sort((a, b) => a.atMs - b.atMs)) {
    const isLost = random() < lost;
    const what = random();
    const span = { startMs, endMs: isLost ? Infinity : endMs };
    const label = `client ${client} at ${atMs.toFixed(2)}`;
    // Mostly, only what its owner has been told of can be cancelled.
    const mine = inOrder ? 0 : owned.findIndex(({ booking }) => booking.endMs < startMs);
    if (what < cancels && owned[mine]) {
      const [given] = owned.splice(mine, 1);
      const after = inOrder ? given!.booking : undefined;
      history.push({ label, kind: 'give', amount: given!.amount, mayBeMissing: isLost, after, ...span });
      free += given!.amount;
    } else if (what < cancels + reads) {
      if (!isLost) history.push({ label, kind: 'read', amount: free, ...span });
    } else {
      const amount = 1 + Math.floor(random() * mostTickets);
      const kind = free >= amount ? 'take' : 'refuse';
      if (isLost && kind === 'refuse') continue;
      const booking: CounterOperation = { label, kind, amount, mayBeMissing: isLost, ...span };
      history.push(booking);
      if (kind === 'take') {
        free -= amount;
        owned.push({ amount, booking });
      }
    }
  }
  return history;
}

/** Tries every order, one after the other: slow, short, and right. */
export function tryEveryOrder(initial: number, operations: readonly CounterOperation[]): boolean {
  const left = operations.filter(({ mayBeMissing }) => !mayBeMissing);
  if (left.length === 0) return true;
  const firstEnd = Math.min(...left.map(({ endMs }) => endMs));
  return operations.some(
    (operation) =>
      operation.startMs <= firstEnd &&
      isPossible(operation, initial) &&
      !(operation.after && operations.includes(operation.after)) &&
      tryEveryOrder(
        initial + changeOf(operation),
        operations.filter((other) => other !== operation),
      ),
  );
}
