/**
 * What the lock guards: like a row in Postgres that remembers the largest token that it has seen, it turns away whoever
 * comes with a smaller one.
 */
export interface Room {
  /** The tokens that were admitted, in order. */
  readonly admitted: readonly number[];
  /** How often somebody was admitted while another was still inside. */
  readonly meetings: number;
  enter(who: unknown, token: number): boolean;
  leave(who: unknown): void;
  /** Resolves when so many more have been admitted. */
  more(count: number): Promise<void>;
}

export function createRoom(): Room {
  const admitted: number[] = [];
  const inside = new Set<unknown>();
  let meetings = 0;
  let awaited: { count: number; resolve: () => void }[] = [];

  return {
    admitted,
    get meetings() {
      return meetings;
    },
    enter(who, token) {
      if (token <= (admitted.at(-1) ?? 0)) return false;
      if (inside.size > 0) meetings += 1;
      inside.add(who);
      admitted.push(token);
      for (const { count, resolve } of awaited) if (admitted.length >= count) resolve();
      awaited = awaited.filter(({ count }) => admitted.length < count);
      return true;
    },
    leave: (who) => void inside.delete(who),
    more(count) {
      return new Promise((resolve) => {
        awaited.push({ count: admitted.length + count, resolve });
      });
    },
  };
}
