/**
 * The stock of one event as a sequential object: a number of free tickets. Each operation takes tickets, gives some
 * back, or tells something about the number, and did so at one moment between its start and its end.
 */
export interface CounterOperation {
  /** What a person is told of it, should no order explain it. */
  label: string;
  kind: Kind;
  /** `take`, `give`: so many tickets. `refuse`: so many were asked for and not there. `read`: so many were free. */
  amount: number;
  startMs: number;
  /** `Infinity` if nobody was told its end. */
  endMs: number;
  /** It may never have happened: asked, never answered, and nothing told its end afterwards. */
  mayBeMissing?: boolean;
  /** The operation that must come first: a booking, before its cancellation. */
  after?: CounterOperation | undefined;
}

type Kind = 'take' | 'give' | 'refuse' | 'read';

/** Whether the operation may happen while so many tickets are free. */
export function isPossible({ kind, amount }: CounterOperation, free: number): boolean {
  if (kind === 'take') return free >= amount;
  if (kind === 'refuse') return free < amount;
  if (kind === 'read') return free === amount;
  return true;
}

/** How it changes the number of free tickets. */
export function changeOf({ kind, amount }: CounterOperation): number {
  if (kind === 'take') return -amount;
  return kind === 'give' ? amount : 0;
}

export function isObserver({ kind }: CounterOperation): boolean {
  return kind === 'read' || kind === 'refuse';
}
