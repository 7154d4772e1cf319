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
    name: 'fenced-out-is-sold-out',
    what: 'a holder that the fence refuses tells its buyer that the tickets are gone',
    file: `${BOOKING}/book-fenced.ts`,
    right: `      if (now.fence > token) return { code: 'fenced_out', fence: now.fence };\n`,
    wrong: '',
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
    name: 'refused-for-others',
    what: 'because some of a batch do not fit, all of it is refused',
    file: `${BOOKING}/batching/decide-batch.ts`,
    right: 'refusals.every((refusal) => refusal !== undefined) ? refusals : undefined',
    wrong: 'refusals.some((refusal) => refusal !== undefined) ? refusals.map(() => SOLD_OUT) : undefined',
    strategy: 'batched-update',
  },
  {
    name: 'answer-before-the-statement',
    what: 'who joins a batch that was sent already is refused by what it had read before',
    file: `${BOOKING}/batching/decide-batch.ts`,
    right: '  const batch = take();\n  const outcomes',
    wrong: '  const batch = [...take(), ...options.take()];\n  taken = batch;\n  const outcomes',
    strategy: 'batched-update',
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
    name: 'gone-is-renewed',
    what: 'a lease that Redis has forgotten counts as renewed',
    file: `${LOCKING}/queue/tenure.ts`,
    right: "if (reply.is !== 'extended') return reply.is;",
    wrong: `if (reply.is === 'gone') return 'held';\n    if (reply.is !== 'extended') return reply.is;`,
    strategy: 'batched-lock',
  },
  {
    name: 'renewal-re-creates',
    what: 'the renewal of a lease that has ended makes it anew',
    file: `${LOCKING}/memory/queue-steps.ts`,
    right: `      if (keys.lock === undefined) return { is: 'gone' };\n      if (keys.lock.id !== id)`,
    wrong: `      keys.lock ??= { id, token: nowUs(), untilMs: 0, alone: false };\n      if (keys.lock.id !== id)`,
    strategy: 'batched-lock',
  },
];
