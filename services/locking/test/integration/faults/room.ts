/**
 * What the lock guards: like a row in Postgres that remembers the largest token that it has seen, it refuses whoever
 * comes with a smaller one. Whoever enters is checked when it enters, and again when it leaves, which is when it writes: a
 * holder that has lost the lock in between is inside, but can do no harm.
 */
export interface Room {
  /** The tokens that were admitted, in order. */
  readonly admitted: readonly number[];
  /** The tokens that were refused, at the entry or at the write. */
  readonly refused: ReadonlySet<number>;
  /** The tokens of those who were still inside when another one entered. */
  readonly met: ReadonlySet<number>;
  /** Whether the token is larger than all before it. */
  enter(who: unknown, token: number): boolean;
  /** Whether it could write: nobody with a larger token has entered since. */
  leave(who: unknown, token: number): boolean;
  /** It is dead: it will not write. */
  vanish(who: unknown): void;
  /** Resolves when so many more have been admitted. */
  more(count: number): Promise<void>;
}

export function createRoom(): Room {
  const admitted: number[] = [];
  const refused = new Set<number>();
  const met = new Set<number>();
  const inside = new Map<unknown, number>();
  let awaited: { count: number; resolve: () => void }[] = [];

  return {
    admitted,
    refused,
    met,
    enter(who, token) {
      if (token <= (admitted.at(-1) ?? 0)) {
        refused.add(token);
        return false;
      }
      for (const other of inside.values()) met.add(other);
      inside.set(who, token);
      admitted.push(token);
      for (const { count, resolve } of awaited) if (admitted.length >= count) resolve();
      awaited = awaited.filter(({ count }) => admitted.length < count);
      return true;
    },
    leave(who, token) {
      inside.delete(who);
      if (token === admitted.at(-1)) return true;
      refused.add(token);
      return false;
    },
    vanish: (who) => void inside.delete(who),
    more(count) {
      return new Promise((resolve) => {
        awaited.push({ count: admitted.length + count, resolve });
      });
    },
  };
}
