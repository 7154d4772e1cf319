import { setImmediate as turn } from 'node:timers/promises';

import { expect, test } from 'vitest';

import { createDelegation } from '#src/booking/batching/delegation.ts';
import type { Pending } from '#src/booking/batching/pending.ts';
import type { Mailbox } from '#src/mailbox.ts';

import { pendingRequest } from '../support/pending.ts';

/** What becomes of a letter; the default is that it arrives. */
type Fate = 'arrives' | 'arrives twice' | 'is lost' | 'finds nobody' | 'arrives, and nobody knows';

const eventId = 7;

/** Two replicas, `asking` and `holder`, and a post that does what the test wants. */
function twoReplicas({ answerWithinMs = 2_000, held = 'holder:1' } = {}) {
  const readers = new Map<string, (letter: unknown) => void>();
  const fates: Fate[] = [];
  const letters: string[] = [];

  function mailboxOf(address: string): Mailbox {
    return {
      address,
      async post(to, letter) {
        const fate = fates.shift() ?? 'arrives';
        const text = JSON.stringify(letter);
        letters.push(`${address} to ${to}: ${text}`);
        await turn();
        if (fate === 'finds nobody') return false;
        const times = fate === 'is lost' ? 0 : fate === 'arrives twice' ? 2 : 1;
        for (let i = 0; i < times; i += 1) readers.get(to)?.(JSON.parse(text));
        if (fate === 'arrives, and nobody knows') throw new Error('no reply');
        return true;
      },
      read: (reader) => void readers.set(address, reader),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }

  const admitted: Pending[] = [];
  const asking = createDelegation({
    mailbox: mailboxOf('asking'),
    instanceId: 'asking',
    holds: () => false,
    admit: () => expect.unreachable(),
    answerWithinMs,
  });
  const holder = createDelegation({
    mailbox: mailboxOf('holder'),
    instanceId: 'holder',
    holds: (event, grant) => event === eventId && grant === held,
    admit: (pending) => void admitted.push(pending),
  });
  return {
    asking,
    holder,
    admitted,
    letters,
    readers,
    post: (...next: Fate[]) => void fates.push(...next),
    /** Until the holder has so many requests of the other one. */
    async admits(count: number) {
      for (let turns = 0; turns < 100 && admitted.length < count; turns += 1) await turn();
      return admitted;
    },
  };
}

test('a batch is booked by the holder, with what its requests need, and answered in one letter', async () => {
  const { asking, admits, letters } = twoReplicas();
  const [a, b] = [pendingRequest(eventId, { customer: 'a' }), pendingRequest(eventId, { customer: 'b' })];
  const undecided = asking.ask(eventId, 'holder:1', [a.pending, b.pending]);
  const [first, second] = await admits(2);
  expect(first).toMatchObject({
    request: { ...a.pending.request, signal: { aborted: false } },
    instanceId: 'asking',
    grant: 'holder:1',
    mayBeBooked: false,
  });
  first!.settle({ code: 'booked', fencingToken: 12 });
  second!.settle({ code: 'sold_out', left: { available: 0, epoch: 3 } });
  expect(await undecided).toEqual([]);
  expect(await a.verdict).toEqual({ code: 'booked', fencingToken: 12 });
  expect(await b.verdict).toEqual({ code: 'sold_out', left: { available: 0, epoch: 3 } });
  expect(letters.map((letter) => letter.split(':')[0])).toEqual(['asking to holder', 'holder to asking']);
});

test('time is told as what is left of it, since clocks of processes have nothing in common', async () => {
  const { asking, admits } = twoReplicas();
  const { pending } = pendingRequest(eventId, { deadlineMs: performance.now() + 1_000 });
  void asking.ask(eventId, 'holder:1', [pending]);
  const [there] = await admits(1);
  const leftMs = there!.deadlineMs - performance.now();
  expect(leftMs).toBeGreaterThan(500);
  expect(leftMs).toBeLessThan(1_001);
});

test('a question for another grant than the one that is held is declined: it may be from long ago', async () => {
  const { asking, admitted } = twoReplicas({ held: 'holder:2' });
  const { pending } = pendingRequest(eventId);
  expect(await asking.ask(eventId, 'holder:1', [pending])).toEqual([pending]);
  expect(pending.mayBeBooked).toBe(false);
  expect(admitted).toEqual([]);
});

test('a replica that is about to stop declines', async () => {
  const { asking, holder, admitted } = twoReplicas();
  holder.retire();
  const { pending } = pendingRequest(eventId);
  expect(await asking.ask(eventId, 'holder:1', [pending])).toEqual([pending]);
  expect(pending.mayBeBooked).toBe(false);
  expect(admitted).toEqual([]);
});

test('where nobody receives the question nothing was booked', async () => {
  const { asking, post } = twoReplicas();
  post('finds nobody');
  const { pending } = pendingRequest(eventId);
  expect(await asking.ask(eventId, 'holder:1', [pending])).toEqual([pending]);
  expect(pending.mayBeBooked).toBe(false);
});

test.each(['is lost', 'arrives, and nobody knows'] as const)(
  'a question that %s and is not answered in time may have been booked',
  async (fate) => {
    const { asking, post } = twoReplicas({ answerWithinMs: 30 });
    post(fate);
    const { pending } = pendingRequest(eventId);
    expect(await asking.ask(eventId, 'holder:1', [pending])).toEqual([pending]);
    expect(pending.mayBeBooked).toBe(true);
  },
);

test('an answer that is lost may have been a booking', async () => {
  const { asking, admits, post } = twoReplicas({ answerWithinMs: 30 });
  post('arrives', 'is lost');
  const { pending } = pendingRequest(eventId);
  const undecided = asking.ask(eventId, 'holder:1', [pending]);
  (await admits(1))[0]!.settle({ code: 'booked', fencingToken: 1 });
  expect(await undecided).toEqual([pending]);
  expect(pending.mayBeBooked).toBe(true);
});

test('an answer that comes too late is not believed: by then the request may be decided elsewhere', async () => {
  const { asking, admits } = twoReplicas({ answerWithinMs: 30 });
  const { pending, verdict } = pendingRequest(eventId);
  const undecided = asking.ask(eventId, 'holder:1', [pending]);
  const [there] = await admits(1);
  expect(await undecided).toEqual([pending]);
  there!.settle({ code: 'booked', fencingToken: 1 });
  for (let i = 0; i < 5; i += 1) await turn();
  await expect(Promise.race([verdict, turn('still open')])).resolves.toBe('still open');
});

test('a question that comes twice is admitted once, and an answer that comes twice settles once', async () => {
  const { asking, admits, admitted, post } = twoReplicas();
  post('arrives twice', 'arrives twice');
  const { pending, verdict } = pendingRequest(eventId);
  const undecided = asking.ask(eventId, 'holder:1', [pending]);
  (await admits(1))[0]!.settle({ code: 'booked', fencingToken: 1 });
  expect(await undecided).toEqual([]);
  expect(await verdict).toMatchObject({ code: 'booked' });
  expect(admitted).toHaveLength(1);
});

test('of a batch that is answered in pieces, what is left open is what comes back', async () => {
  const { asking, admits } = twoReplicas();
  const batch = ['a', 'b', 'c', 'd'].map((customer) => pendingRequest(eventId, { customer }));
  const undecided = asking.ask(
    eventId,
    'holder:1',
    batch.map(({ pending }) => pending),
  );
  const [a, b, c, d] = await admits(4);
  a!.settle({ code: 'booked', fencingToken: 1 });
  for (let i = 0; i < 5; i += 1) await turn();
  b!.settle({ code: 'declined' });
  c!.settle({ code: 'unsettled' });
  d!.fail(new Error('no Postgres'));
  expect((await undecided).map(({ request }) => request.customer)).toEqual(['b', 'c', 'd']);
  expect(batch.map(({ pending }) => pending.mayBeBooked)).toEqual([false, false, true, true]);
});

test.each([
  null,
  7,
  'text',
  [],
  [{}],
  ['ask/2', 'asking'],
  ['answer/2', []],
  ['ask/2'],
  ['ask/2', 'asking', 'asking', eventId, 'holder:1', [7]],
  ['answer/1'],
  ['answer/1', 7],
  ['answer/1', [7]],
])('a letter of another kind is not read: %j', (letter) => {
  const { readers, admitted } = twoReplicas();
  readers.get('holder')?.(letter);
  readers.get('asking')?.(letter);
  expect(admitted).toEqual([]);
});
