import { Redis, type RedisOptions } from 'ioredis';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';

import {
  createQueueLock,
  createQuorumLock,
  createSimpleLock,
  createWebLocks,
  LockLostError,
  LockUnavailableError,
  type WebLocks,
  type WebLocksSource,
} from '#src/index.ts';

/** What the standard describes: Node's own `navigator.locks`, and ours. */
type LockManager = Pick<WebLocks, 'query'> & { request(...args: unknown[]): Promise<unknown> };

const callback = () => 'called';
const isNull = (lock: unknown) => lock === null;
const forever = new Promise<never>(() => undefined);
let names = 0;
const newName = () => `web-locks-test/${process.pid}/${(names += 1)}`;

const redises: Redis[] = [];
const services: WebLocksSource[] = [];

function connect(): Redis {
  const redis = new Redis(inject('redisUrl'));
  redises.push(redis);
  return redis;
}

/** A short TTL: the lock of a holder that never returns must not stand in the way of the end of the test. */
const options = { ttlMs: 300, keyPrefix: `web-locks-test/${process.pid}/` };

function opened(locks: WebLocksSource): LockManager {
  services.push(locks);
  return createWebLocks(locks);
}

afterAll(async () => {
  await Promise.all(services.map((locks) => locks[Symbol.asyncDispose]()));
  for (const redis of redises) redis.disconnect();
});

describe.each([
  { manager: "Node's own locks", open: () => navigator.locks as unknown as LockManager },
  { manager: 'the simple lock', open: () => opened(createSimpleLock(connect(), options)) },
  { manager: 'the queue lock', open: () => opened(createQueueLock(connect(), options)) },
])('by the standard, on $manager', ({ open }) => {
  let locks: LockManager;
  beforeAll(() => {
    locks = open();
  });
  test('a request resolves with the result of its callback, given the lock', async () => {
    const name = newName();
    const seen = await locks.request(name, (lock: { name: string; mode: string }) => [lock.name, lock.mode]);
    expect(seen).toEqual([name, 'exclusive']);
    expect(await locks.request(name, { mode: 'exclusive' }, () => Promise.resolve('later'))).toBe('later');
    expect(await locks.request(name, {}, callback)).toBe('called');
    expect(await locks.request(name, undefined, callback)).toBe('called');
  });

  test('a request rejects with what its callback throws, at once or later', async () => {
    const name = newName();
    const failure = new Error('thrown');
    await expect(locks.request(name, () => Promise.reject(failure))).rejects.toBe(failure);
    expect(await locks.request(name, callback)).toBe('called');
    const throwing = () => {
      throw failure;
    };
    await expect(locks.request(newName(), throwing)).rejects.toBe(failure);
  });

  test('a name is held by one callback at a time', async () => {
    const name = newName();
    const order: string[] = [];
    await Promise.all(
      ['first', 'second', 'third'].map((who) =>
        locks.request(name, async () => {
          order.push(`${who} in`);
          await new Promise((resolve) => setImmediate(resolve));
          order.push(`${who} out`);
        }),
      ),
    );
    for (let i = 0; i < order.length; i += 2) {
      expect(order[i + 1]).toBe(order[i]!.replace('in', 'out'));
    }
  });

  test.each([
    ['no callback', []],
    ['a callback that is none', [undefined]],
    ['a callback that is null', [null]],
    ['a number for a callback', [123]],
    ['an object for a callback', [{}]],
    ['options and no callback', [{}, undefined]],
    ['an unknown mode', [{ mode: 'foo' }, callback]],
    ['a mode that is null', [{ mode: null }, callback]],
    ['a signal that is a string', [{ signal: 'stop' }, callback]],
    ['a signal that is an object', [{ signal: {} }, callback]],
  ])('%s is a TypeError', async (_what, rest) => {
    await expect(locks.request(newName(), ...rest)).rejects.toThrow(TypeError);
  });

  test.each([
    ['steal and ifAvailable', { steal: true, ifAvailable: true }],
    ['steal in shared mode', { steal: true, mode: 'shared' }],
    ['steal with a signal', { steal: true, signal: new AbortController().signal }],
    ['ifAvailable with a signal', { ifAvailable: true, signal: new AbortController().signal }],
  ])('%s are not supported together', async (_what, requestOptions) => {
    const request = locks.request(newName(), requestOptions, callback);
    await expect(request).rejects.toMatchObject({ name: 'NotSupportedError' });
    await expect(request).rejects.toBeInstanceOf(DOMException);
  });

  test('a name that starts with a hyphen is not supported', async () => {
    for (const name of ['-', '-foo']) {
      await expect(locks.request(name, callback)).rejects.toMatchObject({ name: 'NotSupportedError' });
    }
    expect(await locks.request(`${newName()}-`, callback)).toBe('called');
  });

  test('ifAvailable gives null when the lock is held, and the lock when it is free', async () => {
    const name = newName();
    await locks.request(name, async () => {
      expect(await locks.request(name, { ifAvailable: true }, isNull)).toBe(true);
    });
    expect(await locks.request(name, { ifAvailable: true }, isNull)).toBe(false);
  });

  test('a request under an aborted signal rejects with its reason', async () => {
    const reason = 'my dog ate it';
    const signal = AbortSignal.abort(reason);
    await expect(locks.request(newName(), { signal }, callback)).rejects.toBe(reason);
  });

  test('a waiting request rejects with the reason of its signal', async () => {
    const name = newName();
    const controller = new AbortController();
    await locks.request(name, async () => {
      const waiting = locks.request(name, { signal: controller.signal }, callback);
      controller.abort();
      await expect(waiting).rejects.toBe(controller.signal.reason);
    });
    expect(await locks.request(name, callback)).toBe('called');
  });

  test('a signal says nothing any more once the lock is granted', async () => {
    const controller = new AbortController();
    const granted = locks.request(newName(), { signal: controller.signal }, async () => {
      controller.abort();
      return 'done';
    });
    await expect(granted).resolves.toBe('done');
  });

  test('a stolen lock rejects the request of its holder with an AbortError; the last one to steal wins', async () => {
    const name = newName();
    const isHeld = Promise.withResolvers<void>();
    const holder = locks.request(name, () => {
      isHeld.resolve();
      return forever;
    });
    const robbed = holder.catch((error: unknown) => error);
    await isHeld.promise;

    const isStolen = Promise.withResolvers<void>();
    const thief = locks.request(name, { steal: true }, () => {
      isStolen.resolve();
      return forever;
    });
    const robbedToo = thief.catch((error: unknown) => error);
    await isStolen.promise;
    expect(await robbed).toMatchObject({ name: 'AbortError' });

    expect(await locks.request(name, { steal: true }, callback)).toBe('called');
    expect(await robbedToo).toMatchObject({ name: 'AbortError' });
  });

  test('query tells of each request once, also of those that were made just before, and one that waits can be aborted', async () => {
    const name = newName();
    const end = Promise.withResolvers<void>();
    const controller = new AbortController();
    const holder = locks.request(name, () => end.promise);
    const waiting = locks.request(name, { signal: controller.signal }, callback);
    const { held, pending } = await locks.query();
    expect(held.filter((lock) => lock.name === name)).toHaveLength(1);
    expect(pending.filter((lock) => lock.name === name)).toHaveLength(1);
    controller.abort();
    await expect(waiting).rejects.toBe(controller.signal.reason);
    end.resolve();
    await holder;
  });

  test('query tells who holds and who waits', async () => {
    const name = newName();
    await locks.request(name, async () => {
      const waiting = locks.request(name, callback);
      await expect
        .poll(async () => {
          const { held, pending } = await locks.query();
          return [held, pending].map((list) =>
            list.filter((lock) => lock.name === name).map((lock) => lock.mode),
          );
        })
        .toEqual([['exclusive'], ['exclusive']]);
      const { held, pending } = await locks.query();
      const [holder, waiter] = [held, pending].map(
        (list) => list.find((lock) => lock.name === name)?.clientId,
      );
      expect(holder).toBe(waiter);
      return { waiting };
    });
  });
});

describe.each([
  { manager: 'the simple lock', create: createSimpleLock },
  { manager: 'the queue lock', create: createQueueLock },
])('a query that is the first thing asked of $manager', ({ create }) => {
  function openWith(clientOptions: RedisOptions) {
    const redis = new Redis(inject('redisUrl'), clientOptions as object);
    redis.on('error', () => undefined);
    redises.push(redis);
    const locks = create(redis, options);
    services.push(locks);
    return locks;
  }

  test.each([{}, { lazyConnect: true }, { enableOfflineQueue: false }])(
    'tells what is held: %o',
    async (clientOptions) => {
      const name = newName();
      await using _lease = await openWith({}).acquire(name);
      const { held } = await createWebLocks(openWith(clientOptions)).query();
      expect(held.filter((lock) => lock.name === name)).toHaveLength(1);
      expect(await openWith(clientOptions).check()).toEqual([]);
    },
  );

  test('rejects as any other question that is not answered', async () => {
    const redis = connect();
    const locks = create(
      redis.duplicate({ port: 1, host: '127.0.0.1', lazyConnect: true }).on('error', () => undefined),
      {
        ...options,
        commandTimeoutMs: 100,
      },
    );
    services.push(locks);
    await expect(locks.inspect()).rejects.toThrow(LockUnavailableError);
  });
});

describe('beyond the standard', () => {
  test('the lock is free again after a callback that throws at once', async () => {
    const source = createSimpleLock(connect(), options);
    services.push(source);
    const name = newName();
    const failing = createWebLocks(source).request(name, () => {
      throw new Error('thrown');
    });
    await expect(failing).rejects.toThrow('thrown');
    await expect.poll(() => source.tryAcquire(name)).not.toBeNull();
  });

  test('the lock brings its lease, and a lost lease is a broken lock whose cause tells how', async () => {
    const source = createSimpleLock(connect(), options);
    services.push(source);
    const name = newName();
    const broken = createWebLocks(source).request(name, { ttlMs: 300 }, async ({ lease }) => {
      expect(lease.token).toBeGreaterThan(0);
      const thief = await source.steal(name);
      await thief.release();
      return forever;
    });
    const error = await broken.catch((error: unknown) => error);
    expect(error).toMatchObject({ name: 'AbortError' });
    expect((error as DOMException).cause).toBeInstanceOf(LockLostError);
  });

  test('a lock that the callback itself lost is an error of the callback', async () => {
    const source = createSimpleLock(connect(), options);
    services.push(source);
    const lost = new LockLostError({ lock: 'another', token: 1, why: 'gone' });
    await expect(createWebLocks(source).request(newName(), () => Promise.reject(lost))).rejects.toBe(lost);
  });

  test('what the algorithm does not offer is not supported', async () => {
    const source = createQuorumLock([connect(), connect(), connect()], options);
    services.push(source);
    const web = createWebLocks(source);
    const notSupported = { name: 'NotSupportedError' };
    await expect(web.query()).rejects.toMatchObject(notSupported);
    await expect(web.request('seat', { steal: true }, () => undefined)).rejects.toMatchObject(notSupported);
    await expect(web.request('seat', { mode: 'shared' }, () => undefined)).rejects.toMatchObject(
      notSupported,
    );
  });

  test('a name beyond the limit and a negative TTL are RangeErrors', async () => {
    const source = createSimpleLock(connect(), options);
    services.push(source);
    const web = createWebLocks(source);
    await expect(web.request('x'.repeat(513), () => undefined)).rejects.toThrow(RangeError);
    await expect(web.request('seat', { ttlMs: -1 }, () => undefined)).rejects.toThrow(RangeError);
    await expect(web.request(undefined as never, () => undefined)).rejects.toThrow(TypeError);
  });
});
