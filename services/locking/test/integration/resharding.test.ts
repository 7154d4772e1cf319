import { findBinary, startRedisCluster, type RedisCluster } from '@lastseat/infra/servers';
import { Cluster, Redis } from 'ioredis';
import { createCluster } from 'redis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { createQueueLock, createSimpleLock, LockUnavailableError, type Locks } from '#src/index.ts';

import { startCrowd } from './crowd.ts';

// The nodes of a cluster must reach each other, which from one container to another takes a network of their own: they
// are plain processes.
const missing = findBinary('redis-server') === null;
const suffix = missing ? ' (no redis-server installed)' : '';

const stack = new AsyncDisposableStack();
let cluster: RedisCluster;
let nodes: Redis[];
beforeAll(async () => {
  if (missing) return;
  cluster = stack.use(await startRedisCluster(2));
  nodes = cluster.nodes.map(({ url }) => stack.adopt(new Redis(url), (redis) => redis.disconnect()));
});
afterAll(() => stack.disposeAsync());

function connect(): Cluster {
  const client = new Cluster([cluster.nodes[0]!.url]);
  client.on('error', () => undefined);
  stack.defer(() => client.disconnect());
  return client;
}

/** The same with the library redis. */
function connectByRedis() {
  const client = createCluster({ rootNodes: [{ url: cluster.nodes[0]!.url }] });
  client.on('error', () => undefined);
  stack.defer(() => (client.isOpen ? client.destroy() : undefined));
  return client;
}

/** How often the nodes have answered so, since they started. */
async function answered(word: string): Promise<number> {
  const infos = await Promise.all(nodes.map((redis) => redis.info('errorstats')));
  return infos
    .map((info) => Number(new RegExp(`errorstat_${word}:count=(\\d+)`).exec(info)?.[1] ?? 0))
    .reduce((sum, count) => sum + count, 0);
}

async function hasAnswered(word: string, before: number): Promise<void> {
  await expect.poll(() => answered(word), { timeout: 20_000 }).toBeGreaterThan(before);
}

interface Move {
  /** Those keys, or all that are still there. */
  moveKeys(...keys: string[]): Promise<void>;
  end(): Promise<void>;
}

/** The slot of that key begins to move to the other node: from now on both nodes send clients to and fro. */
async function startMove(key: string): Promise<Move> {
  const slot = await nodes[0]!.cluster('KEYSLOT', key);
  const ranges = await nodes[0]!.cluster('SLOTS');
  const [, , owner] = ranges.find(([first, last]) => first <= slot && slot <= last)!;
  const from = owner![1] === cluster.nodes[0]!.port ? 0 : 1;
  const [source, target] = from === 0 ? [nodes[0]!, nodes[1]!] : [nodes[1]!, nodes[0]!];
  const [sourceId, targetId] = [await source.cluster('MYID'), await target.cluster('MYID')];
  await target.cluster('SETSLOT', slot, 'IMPORTING', sourceId);
  await source.cluster('SETSLOT', slot, 'MIGRATING', targetId);

  async function moveKeys(...keys: string[]): Promise<void> {
    const moving = keys.length > 0 ? keys : await source.cluster('GETKEYSINSLOT', slot, 100);
    if (moving.length === 0) return;
    await source.migrate('127.0.0.1', cluster.nodes[1 - from]!.port, '', 0, 5_000, 'KEYS', ...moving);
  }
  return {
    moveKeys,
    async end() {
      await moveKeys();
      await target.cluster('SETSLOT', slot, 'NODE', targetId);
      await source.cluster('SETSLOT', slot, 'NODE', targetId);
    },
  };
}

const patience = { waitMs: 30_000, ttlMs: 30_000 };

describe.skipIf(missing).each([
  {
    kind: 'queue lock',
    create: () => createQueueLock(connect(), { ...patience, unavailableAfterMs: patience.waitMs }),
    key: '{lock:event}',
  },
  { kind: 'simple lock', create: () => createSimpleLock(connect(), patience), key: '{simple-lock:event}' },
  {
    kind: 'queue lock with redis',
    create: () => createQueueLock(connectByRedis(), { ...patience, unavailableAfterMs: patience.waitMs }),
    key: '{lock:event}',
  },
  {
    kind: 'simple lock with redis',
    create: () => createSimpleLock(connectByRedis(), patience),
    key: '{simple-lock:event}',
  },
])(`a $kind whose slot is moved to another node${suffix}`, ({ create, key }) => {
  let services: AsyncDisposableStack;
  beforeEach(() => {
    services = new AsyncDisposableStack();
  });
  afterEach(() => services.disposeAsync());
  const open = (): Locks => services.use(create());

  /** A holder, and one who waits behind it, as far as Redis knows of waiting. */
  async function holdAndWait() {
    const [locks, other] = [open(), open()];
    await other.withLock('event', () => undefined);
    const lease = await locks.acquire('event');
    const next = other.acquire('event');
    next.catch(() => undefined);
    await expect(other.acquire('event', { waitMs: 50 })).rejects.toThrow('was not free');
    return { lease, next };
  }

  test('stays with its holder on the way, and is renewed at the end of it', async () => {
    const { lease, next } = await holdAndWait();
    const move = await startMove(key);
    await move.moveKeys(key);
    const before = await answered('TRYAGAIN');
    const extended = lease.extend();
    await hasAnswered('TRYAGAIN', before);
    await move.end();
    await extended;
    await lease.release();
    const later = await next;
    expect(later.token).toBeGreaterThan(lease.token);
    await later.release();
  });

  test.each([
    { where: 'all keys are still there', moved: [] },
    { where: 'the lock is gone already', moved: [key] },
    { where: 'the last token is gone already', moved: [`${key}:token`] },
  ])('can be released on the way, when $where', async ({ moved }) => {
    const { lease, next } = await holdAndWait();
    const move = await startMove(key);
    if (moved.length > 0) await move.moveKeys(...moved);
    // Where the answer is "not now" until the end of the move, the outcome is unknown: it is given back later.
    await lease.release().catch((error: unknown) => expect(error).toBeInstanceOf(LockUnavailableError));
    await move.end();
    const later = await next;
    expect(later.token).toBeGreaterThan(lease.token);
    await later.release();
  });

  test('is granted to one after another, with rising tokens, while it is moved to and fro', async () => {
    const movedBefore = await answered('MOVED');
    const crowd = startCrowd([open(), open(), open()], 10);
    for (let round = 0; round < 4; round += 1) {
      await crowd.sellsMore(20);
      const move = await startMove(key);
      await hasAnswered('TRYAGAIN', await answered('TRYAGAIN'));
      await move.moveKeys(`${key}:token`);
      await hasAnswered('TRYAGAIN', await answered('TRYAGAIN'));
      await move.moveKeys();
      await hasAnswered('ASK', await answered('ASK'));
      await move.end();
    }
    await crowd.sellsMore(20);
    await crowd.end();
    expect(await answered('MOVED')).toBeGreaterThan(movedBefore);
    const { sales, tokens } = crowd;
    expect(sales.every((times) => times === 1)).toBe(true);
    expect(tokens).toEqual([...new Set(tokens)].toSorted((a, b) => a - b));
  });
});
