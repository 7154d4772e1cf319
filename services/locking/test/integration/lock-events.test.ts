import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { createQueueLock, createQuorumLock, createSimpleLock, type LockEvent } from '#src/index.ts';

import { openLockLab, type LockKind, type LockKindOptions, type LockLab } from './lock-lab.ts';

type Told<T extends LockEvent['type']> = Extract<LockEvent, { type: T }>;

const kinds: (LockKind & { name: string })[] = [
  { name: 'queue lock', servers: 1, createLocks: ([redis], options) => createQueueLock(redis!, options) },
  { name: 'simple lock', servers: 1, createLocks: ([redis], options) => createSimpleLock(redis!, options) },
  { name: 'quorum lock', servers: 3, createLocks: createQuorumLock },
];

/** A service, and what it told, by type. */
function listen(lab: LockLab, options: LockKindOptions = {}) {
  const events: LockEvent[] = [];
  const locks = lab.open({ ...options, onEvent: (event) => events.push(event) });
  const told = <T extends LockEvent['type']>(type: T) =>
    events.filter((event): event is Told<T> => event.type === type);
  return { locks, told };
}

describe.each(kinds)('what the $name tells', (kind) => {
  let lab: LockLab;
  beforeAll(async () => {
    lab = await openLockLab(kind);
  });
  beforeEach(() => lab.onAll('flushall'));
  afterEach(() => lab.closeAll());
  afterAll(() => lab[Symbol.asyncDispose]());

  test('of a grant: how long it was waited for, and how many go on waiting for that name; of a release: how long it was held', async () => {
    const { locks, told } = listen(lab);
    const elsewhere = await lab.open().acquire('elsewhere');
    const sinceMs = performance.now();
    const holder = await locks.acquire('seat');
    const heldFromMs = performance.now();
    // Waits here too, but for another name.
    const other = locks.acquire('elsewhere').then((lease) => lease.release());
    const waitsFromMs = performance.now();
    const waits = [locks.acquire('seat'), locks.acquire('seat')];
    await sleep(60);
    const heldMs = performance.now() - heldFromMs;
    const waitedMs = performance.now() - waitsFromMs;
    await holder.release();
    const next = await Promise.race(waits);
    await next.release();
    for (const wait of waits) await (await wait).release();
    const allMs = performance.now() - sinceMs;

    const grants = told('granted').filter(({ lock }) => lock === 'seat');
    expect(grants.map(({ waiting }) => waiting)).toEqual([0, 1, 0]);
    expect(grants[0]).toMatchObject({ token: holder.token, from: 'free' });
    expect(grants[0]!.waitMs).toBeLessThanOrEqual(heldFromMs - sinceMs);
    expect(grants[1]).toMatchObject({ token: next.token });
    expect(grants[1]!.waitMs).toBeGreaterThanOrEqual(waitedMs);
    expect(grants[1]!.waitMs).toBeLessThanOrEqual(allMs);
    const release = told('released').find(({ token }) => token === holder.token);
    expect(release!.heldMs).toBeGreaterThanOrEqual(heldMs);
    expect(release!.heldMs).toBeLessThanOrEqual(allMs);
    expect(told('lost')).toEqual([]);
    await elsewhere.release();
    await other;
  });

  test('of a wait in vain: how long it lasted', async () => {
    const holder = await lab.open().acquire('seat');
    const { locks, told } = listen(lab);
    // Connected, and with time for an answer: who hears nothing does not know that it is held.
    await locks.withLock('warm up', () => undefined);
    const sinceMs = performance.now();
    await locks.acquire('seat', { waitMs: 600 }).catch(() => undefined);
    const waitedMs = performance.now() - sinceMs;
    expect(told('refused')).toMatchObject([{ lock: 'seat', why: 'timeout' }]);
    expect(told('refused')[0]!.waitMs).toBeGreaterThanOrEqual(599);
    expect(told('refused')[0]!.waitMs).toBeLessThanOrEqual(waitedMs);
    await holder.release();
  });

  test('of a loss that a renewal finds: that it was lost, and how long it had been held', async () => {
    const { locks, told } = listen(lab);
    const heldFromMs = performance.now();
    const lease = await locks.acquire('seat', { ttlMs: 3_000 });
    await lab.onAll('flushall');
    await expect.poll(() => told('lost')).toHaveLength(1);
    expect(told('lost')).toMatchObject([{ lock: 'seat', token: lease.token, why: 'gone' }]);
    // A third of the TTL passes before the renewal.
    expect(told('lost')[0]!.heldMs).toBeGreaterThan(750);
    expect(told('lost')[0]!.heldMs).toBeLessThanOrEqual(performance.now() - heldFromMs);
    expect(told('released')).toEqual([]);
  });

  test('of a loss that only the release finds: that it was lost, once, and how long it had been held', async () => {
    const { locks, told } = listen(lab);
    const lease = await locks.acquire('seat', { ttlMs: 60_000 });
    const heldFromMs = performance.now();
    await lab.onAll('flushall');
    await sleep(20);
    const heldMs = performance.now() - heldFromMs;
    await expect(lease.release()).rejects.toMatchObject({ why: 'gone' });
    expect(told('lost')).toMatchObject([{ lock: 'seat', token: lease.token, why: 'gone' }]);
    expect(told('lost')[0]!.heldMs).toBeGreaterThanOrEqual(heldMs);
    expect(told('lost')[0]!.heldMs).toBe(told('released')[0]!.heldMs);
  });

  test('of renewals: each of them', async () => {
    const { locks, told } = listen(lab);
    const lease = await locks.acquire('seat', { ttlMs: 1_500 });
    await expect.poll(() => told('renewed').length).toBeGreaterThan(1);
    await lease.release();
    expect(told('renewed')[0]).toEqual({ type: 'renewed', lock: 'seat' });
  });
});

describe('what only the queue lock tells', () => {
  let lab: LockLab;
  beforeAll(async () => {
    lab = await openLockLab({
      servers: 1,
      createLocks: ([redis], options) => createQueueLock(redis!, { ...options, tenureGrants: 1 }),
    });
  });
  beforeEach(() => lab.onAll('flushall'));
  afterEach(() => lab.closeAll());
  afterAll(() => lab[Symbol.asyncDispose]());

  test('of a place in the queue: how many are before it', async () => {
    const holder = await lab.open().acquire('seat');
    const services = [listen(lab), listen(lab)];
    const waits: Promise<void>[] = [];
    for (const { locks, told } of services) {
      waits.push(locks.acquire('seat').then((lease) => lease.release()));
      await expect.poll(() => told('queued')).toHaveLength(1);
    }
    expect(services.map(({ told }) => told('queued')[0])).toEqual([
      { type: 'queued', lock: 'seat', before: 0 },
      { type: 'queued', lock: 'seat', before: 1 },
    ]);
    await holder.release();
    await Promise.all(waits);
    expect(services[0]!.told('handed-over')).toEqual([{ type: 'handed-over', lock: 'seat' }]);
  });

  test('of a loss that the end of a tenure finds: that it was lost', async () => {
    const { locks, told } = listen(lab);
    const lease = await locks.acquire('seat', { ttlMs: 60_000 });
    const next = locks.acquire('seat');
    await lab.onAll('flushall');
    await expect(lease.release()).rejects.toMatchObject({ why: 'gone' });
    expect(told('lost')).toMatchObject([{ lock: 'seat', token: lease.token, why: 'gone' }]);
    expect(told('lost')[0]!.heldMs).toBe(told('released')[0]!.heldMs);
    await (await next).release();
    expect(told('lost')).toHaveLength(1);
  });
});
