import type { Cluster } from '@lastseat/infra/cluster';
import { expect, it } from 'vitest';

import { strikesOn } from '#src/console/strikes.ts';

/** A cluster whose parts are paused only when this test says so. */
function slowCluster() {
  const done: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const note = (what: string) => async (name: string) => void done.push(`${what} ${name}`);
  const cluster = {
    async pause(name: string) {
      await promise;
      done.push(`pause ${name}`);
    },
    resume: note('resume'),
    kill: note('kill'),
    start: note('start'),
    redis: () => Promise.reject(new Error('redis does not answer')),
  } as unknown as Cluster;
  return { cluster, done, pauseNow: resolve };
}

it('a pause that is under way when the console ends is resumed as well', async () => {
  const { cluster, done, pauseNow } = slowCluster();
  const strikes = strikesOn(
    cluster,
    () => {},
    async () => {},
  );
  const pausing = strikes.act('redis', 'pause');
  const ended = strikes[Symbol.asyncDispose]();
  pauseNow();
  await Promise.all([pausing, ended]);
  expect(done).toEqual(['pause redis', 'resume redis']);
});

it('one thing at a time is done to a part, and it is said what came of it', async () => {
  const { cluster, done, pauseNow } = slowCluster();
  const said: string[] = [];
  const strikes = strikesOn(
    cluster,
    (text) => said.push(text),
    async () => {},
  );
  const pausing = strikes.act('booking-1', 'pause');
  await expect(strikes.act('booking-1', 'kill')).rejects.toThrow('something else is being done to it');
  expect(strikes.busy()).toEqual(['booking-1']);
  pauseNow();
  await pausing;
  await strikes.act('booking-1', 'resume');
  await strikes.act('booking-2', 'kill');
  await expect(strikes.act('redis', 'flush')).rejects.toThrow('redis does not answer');
  expect(said).toEqual([
    'booking-1 is paused',
    'booking-1 goes on',
    'booking-2 is killed',
    'redis does not answer',
  ]);
  expect(strikes.pauses()).toMatchObject([
    { part: 'booking-1', toMs: expect.any(Number) as number },
    { part: 'booking-2', toMs: null },
  ]);
  expect([1, 2, 3].map((number) => strikes.wasDisturbed(`booking-${number}`))).toEqual([true, true, false]);
  strikes.beginSale();
  expect(strikes.pauses()).toMatchObject([{ part: 'booking-2' }]);
  expect(strikes.wasDisturbed('booking-2')).toBe(false);
  await strikes[Symbol.asyncDispose]();
  // What is killed is not ours to start.
  expect(done).toEqual(['pause booking-1', 'resume booking-1', 'kill booking-2']);
});
