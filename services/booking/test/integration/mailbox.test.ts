import { once } from 'node:events';

import { startFaultProxy } from '@lastseat/infra/servers';
import { Redis } from 'ioredis';
import { afterEach, expect, inject, test } from 'vitest';

import { openMailbox, type Mailbox } from '#src/mailbox.ts';

let opened = new AsyncDisposableStack();
afterEach(async () => {
  await opened.disposeAsync();
  opened = new AsyncDisposableStack();
});

let addresses = 0;

async function openOne(redisUrl = inject('redisUrl')) {
  const redis = new Redis(redisUrl, { enableOfflineQueue: false, maxRetriesPerRequest: 1 });
  redis.on('error', () => undefined);
  opened.defer(() => redis.disconnect());
  await once(redis, 'ready');
  addresses += 1;
  const mailbox: Mailbox = opened.use(openMailbox(redis, `mailbox-test-${process.pid}-${addresses}`));
  const letters: unknown[] = [];
  mailbox.read((letter) => void letters.push(letter));
  return { redis, mailbox, letters };
}

/** Until letters to it arrive. */
async function untilReachable(from: Mailbox, to: { mailbox: Mailbox; letters: unknown[] }): Promise<void> {
  await expect.poll(() => from.post(to.mailbox.address, 'are you there?')).toBe(true);
  await expect.poll(() => to.letters).not.toEqual([]);
  to.letters.length = 0;
}

test('letters arrive in order, and those of one turn as one message', async () => {
  const [one, two] = [await openOne(), await openOne()];
  await untilReachable(one.mailbox, two);
  const channel = `mailbox:${two.mailbox.address}`;
  const eavesdropper = one.redis.duplicate({ enableOfflineQueue: true });
  opened.defer(() => eavesdropper.disconnect());
  const messages: string[] = [];
  await eavesdropper.subscribe(channel);
  eavesdropper.on('message', (_channel, message: string) => messages.push(message));

  const received = [1, { two: 2 }, ['three']].map((letter) => one.mailbox.post(two.mailbox.address, letter));
  expect(await Promise.all(received)).toEqual([true, true, true]);
  await expect.poll(() => two.letters).toEqual([1, { two: 2 }, ['three']]);
  await expect.poll(() => messages).toEqual(['[1,{"two":2},["three"]]']);
});

test('a letter to an address at which nobody reads is known not to be received', async () => {
  const { mailbox } = await openOne();
  expect(await mailbox.post('nobody', 'hello')).toBe(false);
});

test('a letter that cannot be sent now is never sent', async () => {
  const redisUrl = inject('redisUrl');
  const proxy = opened.use(await startFaultProxy(Number(new URL(redisUrl).port)));
  const [one, two] = [await openOne(proxy.through(redisUrl)), await openOne()];
  await untilReachable(one.mailbox, two);
  await proxy.refuse();
  await expect.poll(() => one.redis.status).not.toBe('ready');
  expect(await one.mailbox.post(two.mailbox.address, 'from the outage')).toBe(false);
  await proxy.heal();
  await expect.poll(() => one.redis.status).toBe('ready');
  expect(await one.mailbox.post(two.mailbox.address, 'after it')).toBe(true);
  await expect.poll(() => two.letters).toEqual(['after it']);
});

test('letters arrive again after the connection of the reader was lost', async () => {
  const redisUrl = inject('redisUrl');
  const proxy = opened.use(await startFaultProxy(Number(new URL(redisUrl).port)));
  const [one, two] = [await openOne(), await openOne(proxy.through(redisUrl))];
  await untilReachable(one.mailbox, two);
  proxy.cut();
  await untilReachable(one.mailbox, two);
  expect(await one.mailbox.post(two.mailbox.address, 'again')).toBe(true);
  await expect.poll(() => two.letters).toContain('again');
});

test('what is no list of letters is ignored', async () => {
  const [one, two] = [await openOne(), await openOne()];
  await untilReachable(one.mailbox, two);
  for (const noise of ['', 'hello', '{', '7', 'null', '{"a":1}']) {
    await one.redis.publish(`mailbox:${two.mailbox.address}`, noise);
  }
  expect(await one.mailbox.post(two.mailbox.address, 'a letter')).toBe(true);
  await expect.poll(() => two.letters).toEqual(['a letter']);
});
