import { beforeEach, expect, test } from 'vitest';

import { createTurnstile, type Place, type Turnstile } from '#src/turnstile.ts';

import { createHandClock, type HandClock } from '../hand-clock.ts';

let clock: HandClock;
let turnstile: Turnstile;
let heard: string[];

beforeEach(() => {
  clock = createHandClock();
  turnstile = createTurnstile(50, clock);
  heard = [];
});

function enter(who: string, name = 'seat'): Place {
  const place = turnstile.enter(name);
  void place.turn.then(() => heard.push(who));
  return place;
}

/** What has happened so far, once more. */
async function sinceThen(): Promise<string[]> {
  await clock.pass(0);
  return heard.splice(0);
}

test('lets one through at a time, in the order in which they came', async () => {
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

test('who leaves before its turn is left out, and lets nobody through', async () => {
  const [a, b] = [enter('a'), enter('b'), enter('c')];
  b.leave({ holding: false });
  expect(await sinceThen()).toEqual(['a']);
  a.leave({ holding: false });
  expect(await sinceThen()).toEqual(['c']);
});

test('each name has a line of its own', async () => {
  enter('a', 'one');
  enter('b', 'two');
  expect(await sinceThen()).toEqual(['a', 'b']);
});

test('tells who is through that the lock is held here, until it is given back', async () => {
  const [a, b] = [enter('a'), enter('b')];
  expect(b.isHeldHere).toBe(false);
  a.leave({ holding: true });
  expect(b.isHeldHere).toBe(true);
  void b.rung().then(() => heard.push('ring'));
  expect(await sinceThen()).toEqual(['a', 'b']);
  turnstile.ring('seat');
  expect(b.isHeldHere).toBe(false);
  expect(await sinceThen()).toEqual(['ring']);
});

test('after a while of turns the next one is not called: others are due', async () => {
  let [last, next] = [enter(''), enter('')];
  async function turn(): Promise<string[]> {
    last.leave({ holding: true });
    [last, next] = [next, enter('')];
    void last.rung().then(() => heard.push('ring'));
    turnstile.ring('seat');
    return (await sinceThen()).filter(Boolean);
  }
  expect(await turn()).toEqual(['ring']);
  await clock.pass(49);
  expect(await turn()).toEqual(['ring']);
  await clock.pass(1);
  expect(await turn()).toEqual([]);
  expect(last.isHeldHere).toBe(false);
  // And from there it is a new turn.
  expect(await turn()).toContain('ring');
});
