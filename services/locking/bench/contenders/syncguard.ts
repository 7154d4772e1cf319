import type { Redis } from 'ioredis';

import type { Contender } from '../contender.ts';

// No dependency of this repository, as not every registry has it. (A variable, so that TypeScript does not look for it.)
const library: string = 'syncguard/redis';

/** As much of the library as is used here. */
interface Syncguard {
  createLock(redis: Redis): <T>(
    section: () => Promise<T>,
    config: {
      key: string;
      ttlMs: number;
      acquisition: { maxRetries: number; timeoutMs: number; backoff: 'fixed'; retryDelayMs?: number };
    },
  ) => Promise<T>;
}

const installed = await import(library).then(
  (module: Syncguard) => module,
  (error: NodeJS.ErrnoException) => {
    if (error.code === 'ERR_MODULE_NOT_FOUND') return undefined;
    throw error;
  },
);

/** Undefined where it is not installed. */
export const syncguard: Contender | undefined = installed && {
  key: 'syncguard',
  title: 'syncguard 2.5',
  isPeer: true,
  hasQueue: false,
  servers: 1,
  // Where nobody gives up, delays that double without end would only measure how long its waiters sleep.
  settings:
    'tries every 75 ms on average and never gives up (default: 10 times within 5 s, each delay twice the last); has no renewal',
  open([redis], { retryDelayMs }) {
    const lock = installed.createLock(redis);
    return {
      withLock: (key, section) =>
        lock(async () => section(), {
          key,
          ttlMs: 30_000,
          acquisition: {
            maxRetries: Infinity,
            timeoutMs: 2 ** 31 - 1,
            backoff: 'fixed',
            ...(retryDelayMs !== undefined && { retryDelayMs }),
          },
        }),
      // A closed connection ends its tries.
      close: () => Promise.resolve(),
    };
  },
};

export const howToMeasureSyncguard =
  'syncguard 2.5 is left out, as it is not installed: npm install --no-save syncguard@2.5';
