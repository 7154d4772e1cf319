import type { Operation } from './operation.ts';

/**
 * A history in the notation of Jepsen's checkers (knossos, elle): each operation is an invocation and a completion, in
 * the order of time. `:ok` happened, `:fail` did not, `:info` may have happened at any time since, or never.
 *
 * A process of theirs ends with an `:info`: what its client does next is done by a process of another number.
 */
export function toEdn(operations: readonly Operation[]): string[] {
  const processes = createProcesses(operations);
  const halves = operations.flatMap((operation): Half[] => {
    const { startMs, endMs } = operation;
    const isOpen = typeOf(operation) === 'info' || endMs === null;
    return [
      { atMs: startMs, isEnd: false, operation },
      { atMs: isOpen ? Infinity : endMs, isEnd: true, operation },
    ];
  });
  // What ends in the instant in which another begins may have overlapped it.
  const ordered = halves.sort((a, b) => compare(a.atMs, b.atMs) || Number(a.isEnd) - Number(b.isEnd));
  const firstMs = ordered[0]?.atMs ?? 0;
  const lastMs = ordered.findLast(({ atMs }) => atMs !== Infinity)?.atMs ?? firstMs;
  return ordered.map(({ atMs, isEnd, operation }, index) => {
    const nanoseconds = Math.round((Math.min(atMs, lastMs) - firstMs) * 1e6);
    const type = isEnd ? typeOf(operation) : 'invoke';
    const error =
      type === 'fail' || type === 'info' ? `, :error :${keyword(operation.answer ?? 'no-answer')}` : '';
    return (
      `{:index ${index}, :time ${nanoseconds}, :process ${processes.get(operation) ?? 0}, :type :${type}, ` +
      `:f :${operation.operation}, :value ${valueOf(operation, isEnd)}${error}}`
    );
  });
}

interface Half {
  atMs: number;
  isEnd: boolean;
  operation: Operation;
}

function compare(a: number, b: number): number {
  return a === b ? 0 : a - b;
}

function typeOf({ outcome, settled }: Operation): 'ok' | 'fail' | 'info' {
  if (outcome === 'ok') return 'ok';
  if (outcome === 'rejected' || settled === 'not done') return 'fail';
  return 'info';
}

/** An event and what it is about, so that a checker can take each event by itself (`jepsen.independent`). */
function valueOf({ operation, event, quantity, free, booking }: Operation, isEnd: boolean): string {
  if (operation === 'read') return `[${event} ${isEnd ? String(free) : 'nil'}]`;
  if (operation === 'create' || operation === 'count') return `[${event} ${free}]`;
  const amount = quantity === null ? 'nil' : String(quantity);
  const id =
    booking === null || (operation === 'book' && !isEnd) ? '' : `, :booking ${JSON.stringify(booking)}`;
  return `[${event} {:quantity ${amount}${id}}]`;
}

function keyword(code: string): string {
  return code.replaceAll('_', '-');
}

function createProcesses(operations: readonly Operation[]): Map<Operation, number> {
  const processes = new Map<Operation, number>();
  const present = new Map<number, number>();
  let next = 1 + operations.reduce((most, { client }) => Math.max(most, client), 0);
  for (const operation of operations.toSorted((a, b) => a.startMs - b.startMs)) {
    const process = present.get(operation.client) ?? operation.client;
    processes.set(operation, process);
    present.set(operation.client, typeOf(operation) === 'info' ? next++ : process);
  }
  return processes;
}
