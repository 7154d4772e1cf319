import { beforeEach, expect, test } from 'vitest';

import { createLocalQueue, type Place, type LocalQueue } from '#src/local-queue.ts';

import { createHandClock, type HandClock } from '../hand-clock.ts';

let clock: HandClock;
let localQueue: LocalQueue;
let heard: string[];

beforeEach(() => {
  clock = createHandClock();
  localQueue = createLocalQueue(50, clock);
  heard = [];
});

function enter(who: string, name = 'seat'): Place {
  const place = localQueue.enter(name);
  void place.isFirst.then(() => heard.push(who));
  return place;
}

/** What has happened so far, once more. */
async function sinceThen(): Promise<string[]> {
  await clock.pass(0);
  return heard.splice(0);
}

test('lets one try at a time, in the order in which they came', async () => {
  const [a, b, c] = [enter('a'), enter('b'), enter('c')];
  expect(await sinceThen()).toEqual(['a']);
  a.leave({ holding: false });
  expect(await sinceThen()).toEqual(['b']);
  b.leave({ holding: false });
  c.leave({ holding: false });
  expect(await sinceThen()).toEqual(['c']);
  enter('d');
  expect(await sinceThen()).toEqual(['d']);
});

test('who leaves before it is first is left out, and makes nobody first', async () => {
  const [a, b] = [enter('a'), enter('b'), enter('c')];
  b.leave({ holding: false });
  expect(await sinceThen()).toEqual(['a']);
  a.leave({ holding: false });
  expect(await sinceThen()).toEqual(['c']);
});

test('each name has a queue of its own', async () => {
  enter('a', 'one');
  enter('b', 'two');
  expect(await sinceThen()).toEqual(['a', 'b']);
});

test('tells who is first that the lock is held here, until it is given back', async () => {
  const [a, b] = [enter('a'), enter('b')];
  expect(b.isHeldHere).toBe(false);
  a.leave({ holding: true });
  expect(b.isHeldHere).toBe(true);
  void b.nextRelease().then(() => heard.push('released'));
  expect(await sinceThen()).toEqual(['a', 'b']);
  localQueue.released('seat');
  expect(b.isHeldHere).toBe(false);
  expect(await sinceThen()).toEqual(['released']);
});

test('after a tenure the next one is not told: others are due', async () => {
  let [last, next] = [enter(''), enter('')];
  async function passOn(): Promise<string[]> {
    last.leave({ holding: true });
    [last, next] = [next, enter('')];
    void last.nextRelease().then(() => heard.push('released'));
    localQueue.released('seat');
    return (await sinceThen()).filter(Boolean);
  }
  expect(await passOn()).toEqual(['released']);
  await clock.pass(49);
  expect(await passOn()).toEqual(['released']);
  await clock.pass(1);
  expect(await passOn()).toEqual([]);
  expect(last.isHeldHere).toBe(false);
  // And from there it is a new tenure.
  expect(await passOn()).toContain('released');
});
