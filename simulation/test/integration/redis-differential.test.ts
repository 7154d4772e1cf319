import { propertyParameters } from '@lastseat/infra/properties';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';

import { createCalls, type Calls } from '../../../services/locking/src/client/calls.ts';
import { openClient } from '../../../services/locking/src/client/choose-adapter.ts';
import { loadScript } from '../../../services/locking/src/client/script.ts';
import { lockKey } from '../../../services/locking/src/lock-name.ts';
import { systemTimers } from '../../../services/locking/src/timers.ts';
import { createSimpleSteps, type Value } from '../../models/redis.ts';

/**
 * The model of the simple lock's scripts says the same as the scripts in Redis. (That of the queue lock's is compared in
 * services/locking/test/integration/queue-differential.test.ts.) Nothing expires by itself meanwhile; time passes when a
 * step says so: by the clock of the model, and in Redis by making all that it has that much older.
 */
const TTL_MS = 1_000_000;
const MEMORY_MS = 3_650_000;
/** Sums of these are never near to those two. */
const PASSES_MS = [400_000, 700_000] as const;
/** Beyond the clock of this century. */
const FAR_AHEAD = 4_000_000_000_000_000;
/** More than a run of one history takes on the slowest machine. */
const TOLERANCE_US = 20_000_000;
const PREFIX = `simulation-differential-${process.pid}-`;

const scripts = {
  acquire: loadScript('simple-acquire'),
  extend: loadScript('extend'),
  release: loadScript('release'),
};

type Step =
  | { do: 'acquire'; id: string; tokenAbove: number }
  | { do: 'extend' | 'release'; id: string }
  | { do: 'pass'; ms: number };

const id = fc.constantFrom('a:1', 'a:2', 'b:1');
const step = fc.oneof<fc.WeightedArbitrary<Step>[]>(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('acquire' as const),
      id,
      tokenAbove: fc.constantFrom(0, 0, FAR_AHEAD, FAR_AHEAD + 1),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('extend' as const, 'release' as const), id }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(...PASSES_MS) }),
  },
);

let redis: Redis;
let calls: Calls;

beforeAll(() => {
  redis = new Redis(inject('redisUrl'));
  calls = createCalls(openClient(redis).shared, systemTimers, { timeoutMs: 5_000 });
});

afterAll(async () => {
  const keys = await redis.keys(`{${PREFIX}*`);
  if (keys.length > 0) await redis.del(...keys);
  redis.disconnect();
});

test('the model of the simple lock and its scripts give the same answers, also as time passes', async () => {
  let names = 0;
  const steps = fc.array(step, { minLength: 1, maxLength: 30, size: 'max' });
  const property = fc.asyncProperty(steps, (played) => compare(`n${(names += 1)}`, played));
  await expect(fc.assert(property, { seed: 1, ...propertyParameters(100) })).resolves.toBeUndefined();
}, 180_000);

async function compare(name: string, steps: readonly Step[]): Promise<void> {
  let passedMs = 0;
  const values = new Map<string, Value>();
  const nowUs = () => Math.floor((performance.timeOrigin + performance.now() + passedMs) * 1_000);
  const model = createSimpleSteps(values, nowUs);
  const keys = [lockKey(PREFIX, name), `${lockKey(PREFIX, name)}:token`] as const;
  const run = async (script: keyof typeof scripts, args: readonly string[]) => {
    const { reply } = await calls.run(scripts[script], script === 'release' ? [keys[0]] : keys, args);
    return reply;
  };

  for (const played of steps) {
    switch (played.do) {
      case 'acquire': {
        const { id: who, tokenAbove } = played;
        const above = (passed: number) => String(tokenAbove === 0 ? 0 : tokenAbove - passed * 1_000);
        const args = (passed: number) => [who, String(TTL_MS), above(passed), String(MEMORY_MS)];
        const real = await run('acquire', [...args(passedMs), '']);
        expectNear(real, model.acquire(keys, args(0)), passedMs);
        break;
      }
      case 'extend':
      case 'release': {
        const args = played.do === 'extend' ? [played.id, String(TTL_MS), String(MEMORY_MS)] : [played.id];
        expect(await run(played.do, args)).toBe(model[played.do](keys, args));
        break;
      }
      case 'pass':
        await makeOlder(keys, played.ms);
        passedMs += played.ms;
    }
    const [holder, token] = keys.map((key) => {
      const value = values.get(key);
      return value !== undefined && value.untilMs * 1_000 > nowUs() ? value.value : null;
    });
    expect(await redis.get(keys[0])).toBe(holder);
    expectNear([1, Number(await redis.get(keys[1]))], [1, Number(token)], passedMs);
  }
}

/** As if the lock and its last token had been written so much earlier. */
async function makeOlder([lock, token]: readonly [string, string], ms: number): Promise<void> {
  const last = await redis.get(token);
  if (last !== null) await redis.set(token, String(Number(last) - ms * 1_000), 'KEEPTTL');
  for (const key of [lock, token]) {
    const leftMs = await redis.pttl(key);
    if (leftMs >= 0) await redis.pexpire(key, leftMs - ms);
  }
}

/** A token that is from the clock may be some seconds from that of the model; any other one is the same. */
function expectNear(real: unknown, model: unknown, passedMs: number): void {
  const [is, token] = real as [number, number | string];
  const [isInModel, other] = model as [number, number | string];
  if (typeof token !== 'number' || typeof other !== 'number' || token === 0) {
    expect([is, token]).toEqual([isInModel, other]);
    return;
  }
  const near = token + passedMs * 1_000;
  const isOfClock = other < FAR_AHEAD - TOLERANCE_US && Math.abs(near - other) < TOLERANCE_US;
  expect([is, isOfClock ? other : near]).toEqual([isInModel, other]);
}
