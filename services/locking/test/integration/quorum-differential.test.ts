import { propertyParameters } from '@lastseat/infra/properties';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';

import { createCalls } from '#src/client/calls.ts';
import { openClient } from '#src/client/choose-adapter.ts';
import { lockKey } from '#src/lock-name.ts';
import { createQuorumServer, type QuorumServer } from '#src/quorum/server.ts';
import { systemTimers } from '#src/timers.ts';

import { createModelServer } from '../unit/model-quorum-server.ts';
import { expectAlike, farAhead } from './near-clock.ts';

// The model of one server that the argument for the tokens is tested with says the same as the scripts: the same steps,
// one by one, on both. Nothing expires by itself during the test; locks do when a step says so.
const ttlMs = 1_000_000;
const tokenMemoryMs = 3_600_000;
const keyPrefix = `quorum-differential-${process.pid}-`;

type Question = { do: 'take' | 'extend' | 'release'; id: string } | { do: 'mint'; id: string; token: number };
type Step = Question | { do: 'expire' } | { do: 'forget' };

const id = fc.constantFrom('a:1', 'a:2', 'b:1');
// Few, so that the same one comes again, from the same and from another; and one that is older than any clock.
const token = fc.oneof(fc.integer({ min: farAhead, max: farAhead + 3 }), fc.constant(7));
const step = fc.oneof<fc.WeightedArbitrary<Step>[]>(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('take' as const), id }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('mint' as const), id, token }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('extend' as const), id }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('release' as const), id }) },
  { weight: 1, arbitrary: fc.constantFrom({ do: 'expire' as const }, { do: 'forget' as const }) },
);

let redis: Redis;
let real: QuorumServer;
beforeAll(() => {
  redis = new Redis(inject('redisUrl'));
  const calls = createCalls(openClient(redis).shared, systemTimers, { timeoutMs: 5_000 });
  real = createQuorumServer(calls, { keyPrefix, tokenMemoryMs });
});
afterAll(async () => {
  const keys = await redis.keys(`{${keyPrefix}*`);
  if (keys.length > 0) await redis.del(...keys);
  redis.disconnect();
});

test('the model of a quorum server and its scripts give the same answers, and write the same down', async () => {
  let names = 0;
  const steps = fc.array(step, { minLength: 1, maxLength: 30, size: 'max' });
  const property = fc.asyncProperty(steps, (played) => compare(`n${(names += 1)}`, played));
  await expect(fc.assert(property, propertyParameters(200))).resolves.toBeUndefined();
}, 180_000);

async function compare(name: string, steps: Step[]): Promise<void> {
  const server = createModelServer({
    scheduler: { schedule: (task) => task },
    clockUs: () => Date.now() * 1_000,
    nextFate: () => 'answered',
    onMint: () => undefined,
  });
  const model = server.connect();
  const keys = [lockKey(keyPrefix, name), `${lockKey(keyPrefix, name)}:token`] as const;

  function play(on: QuorumServer, played: Question): Promise<unknown> {
    if (played.do === 'mint') return on.mint(name, played.id, played.token, ttlMs);
    return played.do === 'release' ? on.release(name, played.id) : on[played.do](name, played.id, ttlMs);
  }

  for (const played of steps) {
    if (played.do === 'expire') {
      server.expire();
      await redis.del(keys[0]);
    } else if (played.do === 'forget') {
      server.forget();
      await redis.del(...keys);
    } else {
      expectAlike(await play(model, played), await play(real, played));
    }
    expectAlike(server.state(), await written(keys));
    // -2: not there; -1 would be: there for ever.
    for (const key of keys) expect(await redis.pttl(key)).not.toBe(-1);
  }
}

async function written([lock, token]: readonly [string, string]) {
  const [number, minter = ''] = ((await redis.get(token)) ?? '0').split(' ');
  return { holder: await redis.get(lock), token: Number(number), minter };
}
