import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { openQueueLab, type QueueLab } from './queue-lab.ts';

// Connections that fall silent before they are of any use: somebody has accepted them, and nobody ever answers.
let lab: QueueLab;
beforeAll(async () => {
  lab = await openQueueLab();
});
beforeEach(async () => {
  await lab.redis.flushall();
});
afterEach(() => lab.closeAll());
afterAll(() => lab[Symbol.asyncDispose]());

const commandTimeoutMs = 300;
/** A handshake has so long, then a new connection is made; the rest is for a busy machine. */
const backAgainMs = 3 * commandTimeoutMs + 2_000;

/** The connection that sends this hears nothing any more, for ever; one made after it does. */
function silence(text: string): Promise<void> {
  const matching = (request: Buffer) => request.toString('latin1').toLowerCase().includes(text);
  return lab.proxy.dropReplies(1, { matching, afterwards: 'silence' }).done;
}

describe('a connection that falls silent', () => {
  test.each([
    ['while the connection for messages is set up', 'lock-messages'],
    ['when it is asked to subscribe', 'subscribe'],
  ])(
    '%s is made anew, and the waiter has its place before Redis counts as unavailable',
    async (_when, text) => {
      const holder = await lab.open().locks.acquire('seat');
      const client = lab.open({ throughProxy: true, commandTimeoutMs });
      const silenced = silence(text);
      const sinceMs = performance.now();
      const wait = client.locks.acquire('seat', { waitMs: 20_000 });
      await silenced;
      await Promise.race([client.told('queued'), wait]);
      expect(performance.now() - sinceMs).toBeLessThan(backAgainMs);
      await holder.release();
      await (await wait).release();
    },
  );

  test('while the connection for questions is set up is made anew, and the question is asked', async () => {
    const client = lab.open({ throughProxy: true, commandTimeoutMs });
    const silenced = silence('\r\nlocks\r\n');
    const sinceMs = performance.now();
    const wait = client.locks.acquire('seat', { waitMs: 20_000 });
    await silenced;
    await (await wait).release();
    expect(performance.now() - sinceMs).toBeLessThan(backAgainMs);
  });
});
