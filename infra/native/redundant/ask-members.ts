import type { Members } from '../../redundant/primary.ts';
import { askRedis } from '../../servers/redis.ts';
import { restPortOf } from './postgres.ts';

const ASK_MS = 2_000;

/** The members of a native stack, which are known by their ports. */
export function membersAt(portOf: (name: string) => number): Members {
  return {
    redis: (name, command) => askRedis(`redis://127.0.0.1:${portOf(name)}`, command),
    lineOf: (name) => String(portOf(name)),
    async patroni(name, path, change) {
      const response = await fetch(`http://127.0.0.1:${portOf(restPortOf(name))}${path}`, {
        signal: AbortSignal.timeout(change?.limitMs ?? ASK_MS),
        ...(change && { method: 'POST', body: change.body }),
      });
      return { ok: response.ok, said: await response.text() };
    },
  };
}
