import type { Stage } from './stage.ts';

/** Something that programs with a lock get wrong, played twice: by a strategy that does, and by the right one. */
export interface Pitfall {
  name: string;
  title: string;
  /** Of the broken one. */
  goesWrong: string;
  /** Of the other. */
  isRightBecause: string;
  tickets: number;
  /** Tickets that Postgres holds as sold when all is over. */
  sells: { broken: number; right: number };
  play(stage: Stage): Promise<void>;
}

export const PITFALLS: readonly Pitfall[] = [
  {
    name: 'forgotten-release',
    title: 'A forgotten release',
    goesWrong:
      'ada asks for more than there is and is refused, on a way out that forgets to release the lock. Nobody can buy until its lease of 30 s is over.',
    isRightBecause: 'the release stands in a finally: every way out goes through it',
    tickets: 2,
    sells: { broken: 0, right: 1 },
    async play(stage) {
      await stage.send('ada', 3);
      await buy(stage, 'bob');
    },
  },
  {
    name: 'no-ttl',
    title: 'No TTL, and a crash',
    goesWrong: "ada's replica is killed while she holds a lock that never ends. Nobody can ever buy again.",
    isRightBecause: 'the lock has a lease: a second after the crash the next one has it',
    tickets: 1,
    sells: { broken: 0, right: 1 },
    async play(stage) {
      const { arena } = stage;
      const ada = await stage.sendToGate('ada');
      await stage.kill(ada.instanceId);
      await ada.told;
      await buy(stage, 'bob');
      await arena.replicas.startAll();
    },
  },
  {
    name: 'foreign-release',
    title: 'A release without a look at whose lock it is',
    goesWrong:
      'ada is slow, and her lease ends; bob has the lock when she deletes it. eve gets it at once, while bob is still at work: both sell the only ticket.',
    isRightBecause:
      'the release deletes the lock only if it is still its own, in one step: eve waits for bob',
    tickets: 1,
    sells: { broken: 2, right: 1 },
    async play(stage) {
      // She asks for too much: she writes nothing, all that she does is to release.
      const ada = await stage.sendToGate('ada', 2);
      await stage.untilLeaseEnded();
      const bob = await stage.sendToGate('bob');
      await stage.keepLease();
      await stage.openGate('ada');
      await ada.told;
      const eve = stage.send('eve');
      await Promise.race([eve, stage.untilWaits('eve')]);
      await stage.openGate('bob');
      await Promise.all([bob.told, eve]);
    },
  },
  {
    name: 'longer-than-the-lease',
    title: 'A critical section that is longer than the lease',
    goesWrong:
      'ada reads, and her lease ends before she writes. bob gets the lock and buys the only ticket; then ada writes what she had decided on.',
    isRightBecause:
      'her token is smaller than the one that Postgres has seen since: her write changes nothing',
    tickets: 1,
    sells: { broken: 2, right: 1 },
    async play(stage) {
      const ada = await stage.sendToGate('ada');
      await stage.untilLeaseEnded();
      await buy(stage, 'bob');
      await stage.openGate('ada');
      await ada.told;
    },
  },
  {
    name: 'slow-section',
    title: 'A critical section so long that the others time out',
    goesWrong:
      'ada asks somebody slow while she holds the lock. bob waits for as long as he may, and is sent away from tickets that are free.',
    isRightBecause: 'what is slow comes before the lock, under which there is only the read and the write',
    tickets: 2,
    sells: { broken: 1, right: 2 },
    async play(stage) {
      const ada = await stage.sendToGate('ada');
      await buy(stage, 'bob');
      await stage.openGate('ada');
      await ada.told;
    },
  },
  {
    name: 'wrong-isolation',
    title: 'The wrong isolation level',
    goesWrong:
      'ada and bob are in transactions, at READ COMMITTED, the default. Both read one ticket before either writes: both sell it.',
    isRightBecause: 'at SERIALIZABLE Postgres refuses one of them, who starts over and finds nothing left',
    tickets: 1,
    sells: { broken: 2, right: 1 },
    async play(stage) {
      const ada = await stage.sendToGate('ada');
      const bob = await stage.sendToGate('bob');
      await stage.openGate('ada');
      await stage.openGate('bob');
      await Promise.all([ada.told, bob.told]);
    },
  },
];

export const PITFALL_NAMES = PITFALLS.map(({ name }) => name);

/** Comes a second time if told to come back: longer than a lease is waited for in any case. */
async function buy(stage: Stage, customer: string): Promise<void> {
  const told = await stage.send(customer);
  if (told === 'busy') await stage.send(`${customer} again`);
}
