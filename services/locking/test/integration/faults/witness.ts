import type { Redis } from 'ioredis';
import { expect } from 'vitest';

/** Sees in which order Redis gave a lock away: what the holders tell, each in its own time, cannot say that. */
export interface Witness {
  /** The tokens, in the order in which they were written down as the holder's. */
  readonly tokens: readonly number[];
  /** It was cut off: some may be missing. */
  readonly interrupted: boolean;
  /** Resolves when it has seen all that Redis has done up to now. */
  catchUp(): Promise<void>;
  /** Forgets what it has seen. */
  clear(): void;
  close(): void;
}

/** @param key of the lock: a hash of the holder's id and token */
export async function callWitness(redis: Redis, key: string): Promise<Witness> {
  const monitor = await redis.monitor();
  const tokens: number[] = [];
  let interrupted = false;
  let asked = 0;
  let seen = 0;
  monitor.on('error', () => undefined);
  monitor.on('close', () => {
    interrupted = true;
  });
  monitor.on('monitor', (_time: string, [command = '', first, , token]: string[]) => {
    if (/^hset$/i.test(command) && first === key) tokens.push(Number(token));
    if (/^echo$/i.test(command)) seen = Math.max(seen, Number(first?.replace('witness ', '')) || 0);
  });

  return {
    tokens,
    get interrupted() {
      return interrupted;
    },
    async catchUp() {
      asked += 1;
      const mark = asked;
      // Again and again: it may only just be coming back.
      await expect
        .poll(async () => {
          await redis.echo(`witness ${mark}`);
          return seen;
        })
        .toBe(mark);
    },
    clear() {
      tokens.length = 0;
      interrupted = false;
    },
    close: () => monitor.disconnect(),
  };
}
