import { propertyParameters } from '@lastseat/infra/properties';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';

import { createCalls, type Calls } from '#src/client/calls.ts';
import { openClient } from '#src/client/choose-adapter.ts';
import { loadScript } from '#src/client/script.ts';
import { lockKey } from '#src/lock-name.ts';
import { systemTimers } from '#src/timers.ts';

import { expectAlike, farAhead } from './near-clock.ts';

// The scripts of the simple lock against the few lines that they are meant to be: the same steps, one by one, on both.
// Nothing expires by itself during the test; locks do when a step says so.
const ttlMs = 1_000_000;
const memoryMs = 3_600_000;
const timeoutMs = 5_000;
const keyPrefix = `simple-differential-${process.pid}-`;

const scripts = {
  acquire: loadScript('simple-acquire'),
  extend: loadScript('extend'),
  release: loadScript('release'),
};

type Step =
  | { do: 'acquire' | 'steal'; id: string; tokenAbove: number }
  | { do: 'extend' | 'release'; id: string }
  | { do: 'expire' | 'forget' };

const id = fc.constantFrom('a:1', 'a:2', 'b:1');
const step = fc.oneof<fc.WeightedArbitrary<Step>[]>(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom<'acquire' | 'steal'>('acquire', 'acquire', 'acquire', 'steal'),
      id,
      tokenAbove: fc.constantFrom(0, 0, farAhead, farAhead + 1),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('extend' as const), id }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('release' as const), id }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('expire' as const, 'forget' as const) }) },
);

/** The replies as the scripts' first lines tell them. */
function createModel() {
  let holder: string | null = null;
  let last = 0;
  return {
    state: () => ({ holder, last }),
    acquire(who: string, tokenAbove: number) {
      if (holder !== null && holder !== who) return [0, holder];
      const again = holder === who && last > tokenAbove;
      if (!again) last = Math.max(Date.now() * 1_000, last + 1, tokenAbove + 1);
      holder = who;
      return [1, last];
    },
    extend: (who: string) => (holder === who ? 1 : (holder ?? 0)),
    release(who: string) {
      if (holder !== who) return holder ?? 0;
      holder = null;
      return 1;
    },
    expire() {
      holder = null;
    },
    forget() {
      holder = null;
      last = 0;
    },
  };
}

let redis: Redis;
let calls: Calls;
beforeAll(() => {
  redis = new Redis(inject('redisUrl'));
  calls = createCalls(openClient(redis).shared, systemTimers, { timeoutMs });
});
afterAll(async () => {
  const keys = await redis.keys(`{${keyPrefix}*`);
  if (keys.length > 0) await redis.del(...keys);
  redis.disconnect();
});

test('the scripts of the simple lock do what they are meant to, and nothing stays for ever', async () => {
  let names = 0;
  const steps = fc.array(step, { minLength: 1, maxLength: 30, size: 'max' });
  const property = fc.asyncProperty(steps, (played) => compare(`n${(names += 1)}`, played));
  await expect(fc.assert(property, propertyParameters(200))).resolves.toBeUndefined();
}, 180_000);

async function compare(name: string, steps: Step[]): Promise<void> {
  const model = createModel();
  const keys = [lockKey(keyPrefix, name), `${lockKey(keyPrefix, name)}:token`] as const;
  const run = async (script: keyof typeof scripts, ...args: (string | number)[]) => {
    const { reply } = await calls.run(
      scripts[script],
      script === 'release' ? [keys[0]] : keys,
      args.map(String),
    );
    return reply;
  };

  for (const played of steps) {
    switch (played.do) {
      case 'acquire':
      case 'steal': {
        const { id: who, tokenAbove } = played;
        if (played.do === 'steal') model.expire();
        const how = played.do === 'steal' ? 'steal' : '';
        expectAlike(
          model.acquire(who, tokenAbove),
          await run('acquire', who, ttlMs, tokenAbove, memoryMs, how),
        );
        break;
      }
      case 'extend':
        expect(await run('extend', played.id, ttlMs, memoryMs)).toBe(model.extend(played.id));
        break;
      case 'release':
        expect(await run('release', played.id)).toBe(model.release(played.id));
        break;
      case 'expire':
      case 'forget':
        model[played.do]();
        await (played.do === 'expire' ? redis.del(keys[0]) : redis.del(...keys));
    }
    expectAlike(model.state(), { holder: await redis.get(keys[0]), last: Number(await redis.get(keys[1])) });
    // -2: not there; -1 would be: there for ever.
    for (const key of keys) expect(await redis.pttl(key)).not.toBe(-1);
  }
}
