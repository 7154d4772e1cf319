import { Redis } from 'ioredis';
import { afterAll, beforeEach, describe, expect, inject, test } from 'vitest';

import { createQueueLock, createSimpleLock, type Lease, type Locks } from '#src/index.ts';

const clients: Redis[] = [];
function connect(): Redis {
  const client = new Redis(inject('redisUrl'));
  clients.push(client);
  return client;
}

const redis = connect();
const keyPrefix = `wrong-type/${process.pid}:`;
const services: Locks[] = [];
afterAll(async () => {
  await Promise.all(services.map((locks) => locks[Symbol.asyncDispose]()));
  for (const client of clients) client.disconnect();
});

const kinds = [
  {
    kind: 'queue lock',
    create: createQueueLock,
    keys: [
      ['', 'hash'],
      [':queue', 'zset'],
      [':waiting', 'zset'],
      [':token', 'string'],
    ],
  },
  {
    kind: 'simple lock',
    create: createSimpleLock,
    keys: [
      ['', 'string'],
      [':token', 'string'],
    ],
  },
];
const cases = kinds.flatMap(({ kind, create, keys }) =>
  keys.map(([suffix = '', type = '']) => ({ kind, create, suffix, type })),
);

function messageOf(error: unknown): string {
  return (error as Error).message;
}

let names = 0;
describe.each(cases)(
  'a list under the key of a $kind that ends with "$suffix"',
  ({ create, suffix, type }) => {
    let name: string;
    let key: string;
    const open = () => {
      const locks = create(connect(), { keyPrefix });
      services.push(locks);
      return locks;
    };
    const told = () => `key ${JSON.stringify(key)} holds a list, where a lock has a ${type}: `;

    beforeEach(() => {
      names += 1;
      name = `seat ${names}`;
      key = `{${keyPrefix}${name}}${suffix}`;
    });

    async function putList(): Promise<void> {
      await redis.multi().del(key).rpush(key, 'not of a lock').exec();
    }

    test('is told to whoever asks for it', async () => {
      const [locks, other] = [open(), open()];
      await locks.withLock(name, () => undefined);
      await putList();
      // One of them waits, unless both are told at once.
      const outcomes = await Promise.allSettled(
        [locks, other].map((one) => one.acquire(name, { waitMs: 5_000 })),
      );
      const errors = outcomes.flatMap((outcome) =>
        outcome.status === 'rejected' ? [outcome.reason as unknown] : [],
      );
      expect(errors.length).toBeGreaterThan(0);
      for (const error of errors) expect(messageOf(error)).toContain(told());
    });

    test('is told to whoever waits, unless it can be served all the same: its holder is not to blame', async () => {
      const [locks, other] = [open(), open()];
      const lease = await locks.acquire(name, { ttlMs: 60_000 });
      const served = async (next: Lease) => {
        await next.release();
        return told();
      };
      const wait = other.acquire(name, { waitMs: 20_000 }).then(served, messageOf);
      await expect(other.tryAcquire(name)).resolves.toBeNull();
      await putList();
      await lease.release().catch(() => undefined);
      expect(await wait).toContain(told());
    });
  },
);
