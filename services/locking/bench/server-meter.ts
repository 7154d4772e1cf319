import { readInfo } from '@lastseat/lab-frame/redis-info.ts';
import type { Redis } from 'ioredis';

import { nowMs } from './clock.ts';
import type { ServerRates } from './measurement.ts';

/** Looks at some servers from outside. */
export interface ServerMeter {
  /** Begins to count; the function that it resolves to ends it. */
  start(): Promise<() => Promise<ServerRates>>;
  /** Forgets all keys and counters. */
  flush(): Promise<void>;
}

export function createServerMeter(clients: readonly Redis[]): ServerMeter {
  async function read() {
    const infos = await Promise.all(clients.map((client) => client.info('all')));
    const sum = (of: (info: string) => number): number => infos.reduce((total, info) => total + of(info), 0);
    return {
      atMs: nowMs(),
      cpuUs: sum((info) => readInfo(info, 'used_cpu_user') + readInfo(info, 'used_cpu_sys')) * 1e6,
      // Here it is right that calls inside scripts are counted: that is where messages are sent.
      pushes: sum((info) => readInfo(info, 'cmdstat_publish', 'calls')),
    };
  }

  return {
    async start() {
      const before = await read();
      return async () => {
        const after = await read();
        const seconds = (after.atMs - before.atMs) / 1_000;
        return {
          cpuUsPerSecond: (after.cpuUs - before.cpuUs) / seconds,
          pushesPerSecond: (after.pushes - before.pushes) / seconds,
        };
      };
    },
    async flush() {
      await Promise.all(clients.map((client) => client.flushall()));
    },
  };
}
