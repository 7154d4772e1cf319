import { clientOf } from '@lastseat/locking';

import type { Mailbox } from '#src/mailbox.ts';

import type { Pending, Verdict } from './pending.ts';

/**
 * Lets the replica that holds an event's lock book for those that do not.
 *
 * It rests on nothing but the fence. Who is asked may be dead, paused or deaf, its answer may be lost, and a question
 * may be read long after it was sent. But a question names the grant that it is for, and is never booked under another
 * one. So whoever has asked in vain stands in line for the lock and gets a token larger than all tokens of that grant;
 * once it has raised the fence to its own, nothing of what it asked for can be booked any more, and it looks in the
 * database for what was. Messages make it fast, Postgres makes it true.
 */

/**
 * After this a replica that does not answer is left: it takes some dozen commits on a busy machine, while one that is
 * paused or dead holds the lock for seconds, for which we had better stand in line early.
 */
const ANSWER_WITHIN_MS = 500;

/** The versions of ours; letters of another one are not read, and whoever sent them gets no answer in time. */
const ASK = 'ask/2';
const ANSWER = 'answer/1';

type Row = [
  bookingId: string,
  requestId: string,
  customer: string,
  quantity: number,
  raceWindowMs: number,
  /** How much of its time is left. Clocks of replicas need not agree. */
  waitMs: number,
];
type Ask = [typeof ASK, from: string, instanceId: string, eventId: number, grant: string, rows: Row[]];
type Answer = [typeof ANSWER, [bookingId: string, verdict: Verdict][]];

export interface Delegation {
  /** Asks the holder of that grant to book a batch. @returns those that it did not decide; never rejects */
  ask(eventId: number, grant: string, batch: readonly Pending[]): Promise<readonly Pending[]>;
  /** From now on other replicas' requests are declined. */
  retire(): void;
}

export interface DelegationOptions {
  mailbox: Mailbox;
  instanceId: string;
  /** Whether that grant is ours, as far as we know. */
  holds(eventId: number, grant: string): boolean;
  /** Takes in another replica's request. */
  admit(pending: Pending): void;
  answerWithinMs?: number;
}

/** A batch that another replica has from us. */
interface Asked {
  readonly open: Map<string, Pending>;
  readonly undecided: Pending[];
  readonly done: PromiseWithResolvers<void>;
}

const neverAborted = new AbortController().signal;

export function createDelegation(options: DelegationOptions): Delegation {
  const { mailbox, instanceId, holds, admit, answerWithinMs = ANSWER_WITHIN_MS } = options;
  /** By booking. */
  const asked = new Map<string, Asked>();
  /** Bookings that we have from others: a letter may come twice. */
  const admitted = new Set<string>();
  const answers = new Map<string, Answer[1]>();
  let isRetired = false;

  async function ask(eventId: number, grant: string, batch: readonly Pending[]): Promise<readonly Pending[]> {
    const group: Asked = {
      open: new Map(batch.map((pending) => [pending.request.bookingId, pending])),
      undecided: [],
      done: Promise.withResolvers(),
    };
    for (const id of group.open.keys()) asked.set(id, group);
    const now = performance.now();
    const rows = batch.map(({ request, deadlineMs }): Row => {
      const { bookingId, requestId, customer, quantity, raceWindowMs } = request;
      return [bookingId, requestId, customer, quantity, raceWindowMs, Math.floor(deadlineMs - now)];
    });
    const letter: Ask = [ASK, mailbox.address, instanceId, eventId, grant, rows];
    const timeout = setTimeout(closeOpen, answerWithinMs, group, 'unsettled');
    mailbox.post(clientOf(grant), letter).then(
      (isReceived) => {
        if (!isReceived) closeOpen(group, 'declined');
      },
      // It may have been received, so there is still an answer to wait for.
      () => undefined,
    );
    await group.done.promise;
    clearTimeout(timeout);
    return group.undecided;
  }

  function closeOpen(group: Asked, code: 'declined' | 'unsettled'): void {
    for (const id of group.open.keys()) answered(id, { code });
  }

  function answered(bookingId: string, verdict: Verdict): void {
    const group = asked.get(bookingId);
    const pending = group?.open.get(bookingId);
    if (group === undefined || pending === undefined) return;
    asked.delete(bookingId);
    group.open.delete(bookingId);
    if (verdict.code === 'declined' || verdict.code === 'unsettled') {
      if (verdict.code === 'unsettled') pending.mayBeBooked = true;
      group.undecided.push(pending);
    } else {
      pending.settle(verdict);
    }
    if (group.open.size === 0) group.done.resolve();
  }

  function admitAll([, from, instanceId, eventId, grant, rows]: Ask): void {
    const isOurs = !isRetired && holds(eventId, grant);
    const now = performance.now();
    for (const [bookingId, requestId, customer, quantity, raceWindowMs, waitMs] of rows) {
      if (!isOurs) {
        answer(from, bookingId, { code: 'declined' });
      } else if (!admitted.has(bookingId)) {
        admitted.add(bookingId);
        const settle = (verdict: Verdict) => {
          admitted.delete(bookingId);
          answer(from, bookingId, verdict);
        };
        admit({
          request: {
            bookingId,
            requestId,
            mayBeRepeated: false,
            eventId,
            customer,
            quantity,
            raceWindowMs,
            signal: neverAborted,
          },
          instanceId,
          deadlineMs: now + waitMs,
          grant,
          mayBeBooked: false,
          settle,
          fail: () => settle({ code: 'unsettled' }),
        });
      }
    }
  }

  /** All answers of one batch to one replica are one letter. */
  function answer(to: string, bookingId: string, verdict: Verdict): void {
    const open = answers.get(to);
    if (open !== undefined) {
      open.push([bookingId, verdict]);
      return;
    }
    answers.set(to, [[bookingId, verdict]]);
    queueMicrotask(() => {
      const letter: Answer = [ANSWER, answers.get(to) ?? []];
      answers.delete(to);
      // Whoever waits for it in vain finds out by itself.
      mailbox.post(to, letter).catch(() => undefined);
    });
  }

  mailbox.read((letter) => {
    if (isAsk(letter)) admitAll(letter);
    else if (isAnswer(letter)) for (const each of letter[1]) answered(...each);
  });

  return {
    ask,
    retire() {
      isRetired = true;
    },
  };
}

/** Whoever may write to our Redis may also take its locks: this tells letters from noise, not friends from foes. */
function isAsk(letter: unknown): letter is Ask {
  return Array.isArray(letter) && letter[0] === ASK && isListOfLists(letter[5]);
}

function isAnswer(letter: unknown): letter is Answer {
  return Array.isArray(letter) && letter[0] === ANSWER && isListOfLists(letter[1]);
}

function isListOfLists(list: unknown): boolean {
  return Array.isArray(list) && list.every((each) => Array.isArray(each));
}
