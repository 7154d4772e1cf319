import fc from 'fast-check';
import { expect, test } from 'vitest';

import { takeVote } from '#src/quorum/vote.ts';

const yes = Promise.resolve(true);
const no = Promise.resolve(false);
const dead = Promise.reject(new Error('dead'));
dead.catch(() => undefined);
const silent = new Promise<boolean>(() => undefined);

const vote = (servers: number, calls: readonly Promise<boolean>[]) =>
  takeVote(servers, calls, (reply) => reply);

test('a majority that agrees decides at once, without the silent ones', async () => {
  expect(await vote(3, [yes, silent, yes])).toMatchObject({ carried: true, refused: false });
  expect(await vote(5, [silent, yes, yes, silent, yes])).toMatchObject({ carried: true });
});

test('a majority that disagrees decides at once', async () => {
  expect(await vote(3, [no, silent, no])).toMatchObject({ carried: false, refused: true });
});

test('when too many are dead it is not carried, and not refused either: it is unknown', async () => {
  expect(await vote(3, [dead, yes, dead])).toMatchObject({ carried: false, refused: false });
  expect(await vote(3, [dead, silent, no])).toMatchObject({ carried: false, refused: false });
  expect(await vote(3, [yes])).toMatchObject({ carried: false, refused: false });
  expect(await vote(3, [])).toMatchObject({ carried: false, refused: false });
});

test('it is carried exactly when a majority of all servers agrees', async () => {
  const kinds = { yes, no, dead, missing: undefined };
  const property = fc.asyncProperty(
    fc.constantFrom(3, 5, 7).chain((servers) =>
      fc.array(fc.constantFrom(...(Object.keys(kinds) as (keyof typeof kinds)[])), {
        minLength: servers,
        maxLength: servers,
      }),
    ),
    async (servers) => {
      const calls = servers.flatMap((kind) => kinds[kind] ?? []);
      const { carried, refused } = await vote(servers.length, calls);
      const count = (kind: string) => servers.filter((server) => server === kind).length;
      expect(carried).toBe(count('yes') > servers.length / 2);
      expect(refused && carried).toBe(false);
      // It may be decided before the last refusal is in, but never be called refused without a majority.
      expect(!refused || count('no') > servers.length / 2).toBe(true);
    },
  );
  await fc.assert(property);
});
