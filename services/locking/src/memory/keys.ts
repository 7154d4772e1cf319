/** What one name has; each part with its own expiry. */
export interface Keys {
  /** Alone: it was taken when nobody waited, and nobody has come since. */
  lock: { id: string; token: number; untilMs: number; alone: boolean } | undefined;
  queue: { places: Map<string, number>; untilMs: number };
  /** The clients, and until when they count as alive. */
  waiting: { signs: Map<string, number>; untilMs: number };
  last: { token: number; untilMs: number } | undefined;
}

/** Those of the name, without what has expired by now. */
export function currentKeys(names: Map<string, Keys>, name: string, nowMs: number): Keys {
  let keys = names.get(name);
  if (keys === undefined) {
    const queue = { places: new Map(), untilMs: 0 };
    keys = { lock: undefined, queue, waiting: { signs: new Map(), untilMs: 0 }, last: undefined };
    names.set(name, keys);
  }
  if (keys.lock !== undefined && keys.lock.untilMs <= nowMs) keys.lock = undefined;
  if (keys.last !== undefined && keys.last.untilMs <= nowMs) keys.last = undefined;
  if (keys.queue.untilMs <= nowMs) keys.queue.places.clear();
  if (keys.waiting.untilMs <= nowMs) keys.waiting.signs.clear();
  return keys;
}

/** The ids in the queue, first to last. */
export function ordered({ queue }: Keys): string[] {
  return [...queue.places].sort(([a, x], [b, y]) => x - y || (a < b ? -1 : 1)).map(([id]) => id);
}

export function rank(keys: Keys, id: string): number {
  return ordered(keys).indexOf(id);
}
