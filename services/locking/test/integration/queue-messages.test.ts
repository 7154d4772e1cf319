import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';

import { openQueueLab, type QueueLab } from './queue-lab.ts';

// What comes over the channel of a client, from other versions of this library too while a service is being updated.
let lab: QueueLab;
beforeAll(async () => {
  lab = await openQueueLab();
});
beforeEach(async () => {
  await lab.redis.flushall();
});
afterEach(() => lab.closeAll());
afterAll(() => lab[Symbol.asyncDispose]());

test.each([
  'renamed 1 {lock:seat}',
  'toString 1 {lock:seat}',
  'granted 1 {lock:seat}',
  'granted 1 soon 0 0 0 0 {lock:seat}',
  'asked',
  'asked one {lock:seat}',
  'stolen  {lock:seat}',
  '',
])('a message that this version does not know is ignored, and counted: "%s"', async (message) => {
  const holder = await lab.open().locks.acquire('seat');
  const client = lab.open();
  const wait = client.locks.acquire('seat');
  await client.told('queued');
  await lab.redis.publish(`lock:@${client.locks.clientId}`, message);
  await client.told('ignored-message');
  await holder.release();
  const lease = await wait;
  expect(lease.token).toBeGreaterThan(holder.token);
  await lease.release();
  expect(client.count('ignored-message')).toBe(1);
});
