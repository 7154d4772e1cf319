import { propertyParameters } from '@lastseat/infra/properties';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';

import { openClient } from '#src/client/choose-adapter.ts';
import { lockKey } from '#src/lock-name.ts';
import { createQueueSteps } from '#src/memory/queue-steps.ts';
import { openRedisQueueStore } from '#src/queue/redis-store.ts';
import type { HandedOver, Inspection, QueueMessages, QueueStore } from '#src/queue/store.ts';
import { systemTimers } from '#src/timers.ts';

// The model that the client is tested against says the same as the scripts: the same steps, one by one, on both. What
// depends on the time is compared with some tolerance, and is otherwise far apart: nothing expires during the test.
const ttlMs = 1_000_000;
const staleMs = 400_000;
const memoryMs = 3_600_000;
const toleranceMs = 20_000;
/** Tokens beyond the clock of this century do not depend on it. */
const farAhead = 4_000_000_000_000_000;

const prefix = `differential-${process.pid}-`;
/** The third one is not known to listen. All the same it hears what is sent to it, as on a replica. */
const clients = ['a', 'b', 'ghost'] as const;
const kinds = { a: ':', b: '~', ghost: ':' };

type Step =
  | {
      do: 'acquire' | 'steal';
      id: string;
      tokenAbove: number;
      enqueue: boolean;
      place: number | undefined;
      reserve: boolean;
      ttlMs: number;
    }
  | { do: 'extend'; id: string; reserved: number | undefined }
  | { do: 'yield'; id: string; lastToken: number; tokenAbove: number; late: boolean }
  | { do: 'release'; id: string; lastToken: number | undefined; contended: boolean }
  | { do: 'poll'; id: string; client: 'a' | 'b' }
  | { do: 'lose lock' | 'flush' }
  | { do: 'silence'; client: (typeof clients)[number] };

const id = fc
  .tuple(
    fc.constantFrom<(typeof clients)[number]>('a', 'a', 'b', 'b', 'ghost'),
    fc.integer({ min: 1, max: 2 }),
  )
  .map(([client, number]) => `${client}/${number * ttlMs}${kinds[client]}${number}`);
const above = fc.constantFrom(0, 0, farAhead, farAhead + 5_000);
const lastToken = fc.integer({ min: farAhead, max: farAhead + 100 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constantFrom<'acquire' | 'steal'>('acquire', 'acquire', 'acquire', 'acquire', 'steal'),
      id,
      tokenAbove: above,
      enqueue: fc.constantFrom(true, true, false),
      place: fc.constantFrom(undefined, undefined, 7),
      reserve: fc.boolean(),
      ttlMs: fc.constantFrom(ttlMs, ttlMs, ttlMs / 2),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('extend' as const),
      id,
      reserved: fc.oneof(fc.constant(undefined), lastToken),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('yield' as const),
      id,
      lastToken,
      tokenAbove: above,
      late: fc.constantFrom(false, false, true),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('release' as const),
      id,
      lastToken: fc.oneof(fc.constantFrom(undefined, 0), lastToken),
      contended: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('poll' as const),
      id,
      client: fc.constantFrom('a' as const, 'b' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('lose lock' as const, 'flush' as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('silence' as const), client: fc.constantFrom(...clients) }),
  },
);

let redis: Redis;
let eavesdropper: Redis;
let stores: Record<'a' | 'b', QueueStore>;
let heard: string[] = [];
let heardGrants: HandedOver[] = [];

beforeAll(async () => {
  redis = new Redis(inject('redisUrl'));
  const open = async (client: 'a' | 'b') => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const tell = (what: string) => (name: string, number: number) =>
      heard.push(`${client}: ${what} ${number} ${name}`);
    const messages: QueueMessages = {
      granted(name, number, grant) {
        tell('granted')(name, number);
        heardGrants.push(grant);
      },
      asked: tell('asked'),
      stolen: tell('stolen'),
      ignored: () => heard.push(`${client}: ignored`),
      listening: resolve,
      reachable: () => undefined,
    };
    const store = openRedisQueueStore(openClient(redis), systemTimers, messages, {
      clientId: client,
      keyPrefix: prefix,
      commandTimeoutMs: 5_000,
      staleMs,
      queueMemoryMs: 4 * staleMs,
      tokenMemoryMs: memoryMs,
      onRoundTrip: undefined,
    });
    store.open();
    await promise;
    return store;
  };
  stores = { a: await open('a'), b: await open('b') };
  eavesdropper = redis.duplicate();
  // Whoever subscribes to a pattern is not counted by PUBSUB NUMSUB.
  await eavesdropper.psubscribe(`${prefix}@ghos[t]`);
  eavesdropper.on('pmessage', (_pattern, _channel, message: string) => {
    const [what, number, ...more] = message.split(' ');
    heard.push(`ghost: ${what} ${number} ${more.at(-1)!.slice(lockKey(prefix, '').length - 1, -1)}`);
  });
});

afterAll(async () => {
  await stores.a.close();
  await stores.b.close();
  const keys = await redis.keys(`{${prefix}*`);
  if (keys.length > 0) await redis.del(...keys);
  redis.disconnect();
  eavesdropper.disconnect();
});

test('the model of the scripts and the scripts give the same answers and send the same messages', async () => {
  let names = 0;
  const property = fc.asyncProperty(
    fc.array(step, { minLength: 1, maxLength: 30, size: 'max' }),
    async (steps) => {
      names += 1;
      await compare(`n${names}`, steps);
    },
  );
  await expect(fc.assert(property, propertyParameters(200))).resolves.toBeUndefined();
}, 180_000);

async function compare(name: string, steps: Step[]): Promise<void> {
  const told: string[] = [];
  const toldGrants: HandedOver[] = [];
  const model = createQueueSteps(
    { staleMs, queueMemoryMs: 4 * staleMs, tokenMemoryMs: memoryMs },
    // As fine as that of Redis: two grants within a millisecond differ, and the second is ahead of the first.
    () => Math.floor((performance.timeOrigin + performance.now()) * 1_000),
    {
      isHeard: (client) => client !== 'ghost',
      tell(client, what, number, name, grant) {
        told.push(`${client}: ${what} ${number} ${name}`);
        if (client !== 'ghost' && what === 'granted') toldGrants.push(grant);
      },
    },
  );
  const key = lockKey(prefix, name);
  const keys = [key, `${key}:queue`, `${key}:waiting`, `${key}:token`];
  heard = [];
  heardGrants = [];

  async function both(step: Step): Promise<[model: unknown, real: unknown]> {
    const { a } = stores;
    switch (step.do) {
      case 'acquire':
      case 'steal': {
        return [model[step.do](name, step), await a[step.do](name, step)];
      }
      case 'extend':
        return [model.extend(name, { ...step, ttlMs }), await a.extend(name, { ...step, ttlMs })];
      case 'yield': {
        // No id of another client, and not its own.
        const request = { ...step, nextId: step.id.replace(/\d+$/, '3'), ttlMs };
        // A late one belongs to a tenure before; and the two have made tokens of their own.
        const firstToken = ({ token = 0 }: Inspection) => (step.late ? 1 : token);
        const here = { ...request, firstToken: firstToken(model.inspect(name)) };
        const there = { ...request, firstToken: firstToken(await a.inspect(name)) };
        return [model.yield(name, here), await a.yield(name, there)];
      }
      case 'release':
        return [model.release(name, step), await a.release(name, step)];
      case 'poll':
        return [model.poll(name, step.id, step.client), await stores[step.client].poll(name, step.id)];
      case 'lose lock':
        return [model.loseLock(name), void (await redis.del(key))];
      case 'flush':
        return [model.flush(), void (await redis.del(...keys))];
      case 'silence': {
        model.silence(name, step.client);
        await redis.zadd(keys[2]!, 'XX', Date.now() - staleMs, step.client);
        return [undefined, undefined];
      }
    }
  }

  for (const step of steps) {
    const [said, real] = await both(step);
    expectAlike(said, real);
    expectAlike(model.inspect(name), await stores.a.inspect(name));
  }

  // What was published before these has arrived when these have.
  for (const client of clients) {
    await redis.publish(`${prefix}@${client}`, `asked 0 ${key}`);
    await expect.poll(() => heard, { interval: 1 }).toContain(`${client}: asked 0 ${name}`);
  }
  expect(heard.filter((message) => !message.includes('asked 0 ')).toSorted()).toEqual(told.toSorted());
  expect(heardGrants).toHaveLength(toldGrants.length);
  toldGrants.sort(byToken);
  for (const [i, grant] of heardGrants.sort(byToken).entries()) expectAlike(toldGrants[i], grant);
}

function byToken(a: HandedOver, b: HandedOver): number {
  return a.token - b.token;
}

/** How far apart two numbers of that name may be. */
const tolerances: Record<string, number> = {
  token: toleranceMs * 1_000,
  holderToken: toleranceMs * 1_000,
  reserved: toleranceMs * 1_000,
  clockUs: toleranceMs * 1_000,
  place: toleranceMs * 1_000,
  holderTtlMs: toleranceMs,
};

function expectAlike(model: unknown, real: unknown): void {
  expect(rounded(real, model)).toEqual(model);
}

/** The real reply, with those numbers that are close enough replaced by those of the model. */
function rounded(real: unknown, model: unknown): unknown {
  if (typeof real !== 'object' || typeof model !== 'object') return real;
  const entries = Object.entries(real as object).map(([field, value]) => {
    const other = (model as Record<string, unknown>)[field];
    const close =
      typeof value === 'number' &&
      typeof other === 'number' &&
      value > 1_000 &&
      value < farAhead - 1_000_000 &&
      Math.abs(value - other) < (tolerances[field] ?? 0);
    return [field, close ? other : value];
  });
  return Object.fromEntries(entries);
}
