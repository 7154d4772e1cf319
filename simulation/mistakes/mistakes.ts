import type { FaultName } from '../plan.ts';

/** A mistake in the service or the lock, made on purpose while their sources are loaded: the simulation must find it. */
export interface Mistake {
  readonly name: string;
  readonly what: string;
  /** In this repository. */
  readonly file: string;
  /** Must be there exactly once. */
  readonly right: string;
  readonly wrong: string;
  /** Whose histories show it. */
  readonly strategy: string;
  /** Which faults there may be; left out: all. */
  readonly faults?: readonly FaultName[];
}

const BOOKING = 'services/booking/src/booking';
const STORAGE = 'services/booking/src/storage';
const LOCKING = 'services/locking/src';

export const MISTAKES: readonly Mistake[] = [
  {
    name: 'release-before-commit',
    what: 'the lock is given back before what it guards is written',
    file: `${BOOKING}/under-lease.ts`,
    right: '    return await body(lease);',
    wrong: '    void lease.release().catch(onReleaseFailed);\n    return await body(lease);',
    strategy: 'simple-lock',
    // A pause breaks this strategy anyhow.
    faults: [],
  },
  {
    name: 'token-unchecked',
    what: 'Postgres takes the token down and does not compare it',
    file: `${STORAGE}/inventory.ts`,
    right: `.set({ fence: token }).where('fence', '<=', token)`,
    wrong: '.set({ fence: token })',
    strategy: 'fenced-lock',
  },
  {
    name: 'in-doubt-is-failed',
    what: 'a commit whose answer is lost counts as one that failed',
    file: `${STORAGE}/transaction.ts`,
    right: `  return new CommitUnknownError('the connection was lost during COMMIT', { cause: error });`,
    wrong: '  return error;',
    strategy: 'fenced-lock',
  },
  {
    name: 'in-doubt-is-new',
    what: 'a request that may have booked is decided as if it had not',
    file: `${BOOKING}/batching/decide-batch.ts`,
    right:
      '      if (error instanceof CommitUnknownError) for (const pending of batch) pending.isInDoubt = true;\n',
    wrong: '',
    strategy: 'batched-lock',
  },
  {
    name: 'look-before-the-commit-ended',
    what: 'what became of a lost commit is looked up while it is still under way',
    file: `${BOOKING}/commit.ts`,
    right: '      await lockStock(trx, request.eventId);\n',
    wrong: '',
    strategy: 'fenced-lock',
  },
  {
    name: 'one-too-many',
    what: 'the last of a batch gets a ticket that is not there',
    file: `${BOOKING}/batching/allocate.ts`,
    right: 'if (quantity > left) return false;',
    wrong: 'if (quantity > left + 1) return false;',
    strategy: 'batched-update',
  },
  {
    name: 'postgres-has-not-the-last-word',
    what: 'the write of a holder does not look whether there are tickets: it has read that there are',
    file: `${STORAGE}/inventory.ts`,
    right: `\n    .where('available', '>=', quantity);`,
    wrong: ';',
    strategy: 'fenced-lock',
  },
  {
    name: 'version-unchecked',
    what: 'what was decided on an old version is written all the same',
    file: `${STORAGE}/inventory.ts`,
    right: `.where('version', '=', version)`,
    wrong: '',
    strategy: 'optimistic',
  },
  {
    name: 'batch-token-unchecked',
    what: 'a batch under the lock of the row does not look whether a later holder has booked',
    file: `${BOOKING}/batching/decide-batch.ts`,
    right: '    if (stock.fence > token) return { fence: stock.fence };\n',
    wrong: '',
    strategy: 'batched-lock',
  },
  {
    name: 'given-up-is-refused',
    what: 'a request that may be booked, and that nobody has time for any more, is told that it is not',
    file: `${BOOKING}/batching/pending.ts`,
    right: `pending.settle(pending.isInDoubt ? { code: 'unknown', cause } : { code: 'busy', detail, cause });`,
    wrong: `pending.settle({ code: 'busy', detail, cause });`,
    strategy: 'batched-update',
  },
  {
    name: 'equal-token-at-hand-over',
    what: 'one token for all candidates: each is told, and passed over if Redis does not know that it listens',
    file: `${LOCKING}/memory/queue-steps.ts`,
    right: `      if (!reads && !isAlive(keys, client)) continue;
      const given = handTo(name, keys, id);
      if (!reads) tell(id, 'granted', name, given);`,
    wrong: `      const given = (keys as any).given ??= handTo(name, keys, id);
      keys.lock = { ...(keys.lock as any), id, token: given.token };
      if (!reads) tell(id, 'granted', name, given);
      if (!reads && !isAlive(keys, client)) continue;
      (keys as any).given = undefined;`,
    strategy: 'fenced-lock',
    faults: ['failover', 'pause', 'deafen'],
  },
  {
    name: 'equal-token-after-failover',
    what: 'at the end of a tenure Redis may answer with a token that was given away before',
    file: `${LOCKING}/queue/holding.ts`,
    right: 'const tokenAbove = Math.max(first.tokenAbove, lastToken);',
    wrong: 'const { tokenAbove } = first;',
    strategy: 'batched-lock',
  },
  {
    name: 'lease-from-the-answer',
    what: 'a lease counts from the answer of Redis, and not from the question',
    file: `${LOCKING}/queue/asking.ts`,
    right: 'answered(machine, state, reply, { sinceMs: sentAtMs, ttlMs })',
    wrong: 'answered(machine, state, reply, { sinceMs: machine.context.timers.clock.now(), ttlMs })',
    strategy: 'fenced-lock',
  },
  {
    name: 'refusals-from-an-old-read',
    what: 'once it has said so, a replica goes on for a quarter of a second to tell that it is sold out',
    file: `${BOOKING}/end-holds-first.ts`,
    right: 'export function endHoldsFirst(db: PooledDb): (strategy: Strategy) => Strategy {\n',
    wrong: `export function endHoldsFirst(db: PooledDb): (strategy: Strategy) => Strategy {
  const notes = new Map<number, { untilMs: number; quantity: number }>();
  const endsHolds = endHoldsRightly(db);
  return (strategy) => {
    const { book, ...rest } = endsHolds(strategy);
    return {
      ...rest,
      async book(request) {
        const { eventId, quantity } = request;
        const untilMs = performance.now() + 250;
        const note = notes.get(eventId);
        if (note !== undefined && note.untilMs > untilMs - 250 && note.quantity <= quantity) return SOLD_OUT;
        const outcome = await book(request);
        if (outcome.code === 'sold_out') notes.set(eventId, { untilMs, quantity });
        return outcome;
      },
    };
  };
}

function endHoldsRightly(db: PooledDb): (strategy: Strategy) => Strategy {
`,
    strategy: 'batched-update',
  },
  {
    name: 'not-found-is-not-booked',
    what: 'a lost statement whose booking is not there yet counts as one that has booked nothing',
    file: `${BOOKING}/commit.ts`,
    right: `return isFound ? 'booked' : { code: 'unknown', cause: error };`,
    wrong: `return isFound ? 'booked' : ({ code: 'busy', detail: 'Lost.', cause: error } as never);`,
    strategy: 'atomic-update',
  },
  {
    name: 'answer-before-the-commit',
    what: 'a batch is told what becomes of it before that is committed',
    file: `${BOOKING}/batching/decide-batch.ts`,
    right: '  return { decisions };\n}',
    wrong: `  for (const [i, pending] of batch.entries()) {
    const decision = decisions[i] as Decision;
    if (!(decision instanceof KeyTakenError)) pending.settle(decision);
  }
  return { decisions };
}`,
    strategy: 'batched-lock',
  },
  {
    name: 'idempotency-outside-the-transaction',
    what: 'whether a request has booked is looked up before the transaction, and nothing in it says so',
    file: `${BOOKING}/once-per-request.ts`,
    right: '    const outcome = await bookOrFindKeyTaken(strategy, request);\n',
    wrong: `    const before = request.mayBeRepeated ? await finder.firstOf(request) : undefined;
    const unnamed = { ...request, requestId: 'unnamed-' + Math.random() };
    const outcome = before === undefined ? await bookOrFindKeyTaken(strategy, unnamed) : KEY_TAKEN;\n`,
    strategy: 'fenced-lock',
  },
  {
    name: 'row-locked-outside-the-transaction',
    what: 'SELECT ... FOR UPDATE runs on a connection of its own, so that the lock ends with the statement',
    file: `${BOOKING}/strategies/row-lock.ts`,
    right: 'const stock = await lockStock(trx, eventId, { arrivedAtMs });',
    wrong: 'const stock = await lockStock(db as never, eventId, { arrivedAtMs });',
    strategy: 'row-lock',
  },
  {
    name: 'read-committed',
    what: 'what is right as if it were alone runs at the default isolation level of Postgres',
    file: `${BOOKING}/strategies/serializable.ts`,
    right: `{ isolation = 'serializable' }: { isolation`,
    wrong: `{ isolation = 'read committed' }: { isolation`,
    strategy: 'serializable',
    faults: [],
  },
  {
    name: 'lost-cancellation-is-done',
    what: 'a cancellation whose answer is lost is told as done, and nobody looks',
    file: `${BOOKING}/cancel.ts`,
    right: '    if (!(error instanceof CommitUnknownError)) throw error;\n',
    wrong: '    if (!(error instanceof CommitUnknownError)) throw error;\n    return true;\n',
    strategy: 'row-lock',
  },
  {
    name: 'release-of-another',
    what: 'a lock is given back without a look whether it is still one’s own',
    file: `${LOCKING}/memory/queue-steps.ts`,
    right: '      if (keys.lock?.id !== id) {\n        keys.queue.places.delete(id);',
    wrong: '      if (keys.lock === undefined) {\n        keys.queue.places.delete(id);',
    strategy: 'fenced-lock',
  },
  {
    name: 'renewal-creates-anew',
    what: 'the renewal of a lease that has ended takes the lock again, with the token of before',
    file: `${LOCKING}/memory/queue-steps.ts`,
    right: `      if (keys.lock === undefined) return { is: 'gone' };\n      if (keys.lock.id !== id)`,
    wrong: `      keys.lock ??= { id, token: (keys.last?.token ?? 1_000) - 1_000, untilMs: 0, alone: false };\n      if (keys.lock.id !== id)`,
    strategy: 'batched-lock',
  },
];
