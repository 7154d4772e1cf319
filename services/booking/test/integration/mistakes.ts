import type { Mistake } from '@lastseat/infra/seeded-mistakes';

/**
 * Which tests notice: `together` books several events in one statement, `batch` decides one batch on a real Postgres,
 * `statements` asks its SQL alone, `crashes` breaks the connections of two replicas.
 */
export type Noticer = 'queues' | 'allocation' | 'together' | 'batch' | 'statements' | 'crashes';

/** Mistakes that somebody could make in the strategies that book in batches. */
export const mistakes: readonly Mistake<Noticer>[] = [
  {
    name: 'an answer before the commit',
    file: 'booking/batching/decide-batch.ts',
    right: `  return { decisions };
}`,
    wrong: `  for (const [i, pending] of batch.entries()) pending.settle(decisions[i] as Outcome);
  return { decisions };
}`,
    noticedBy: 'batch',
  },
  {
    name: 'a retry without looking',
    file: 'booking/batching/decide-batch.ts',
    right:
      '      if (error instanceof CommitUnknownError) for (const pending of batch) pending.isInDoubt = true;\n',
    wrong: '',
    noticedBy: 'batch',
  },
  {
    name: 'a request that was booked already is not looked for, because nobody had said so',
    file: 'booking/batching/decide-batch.ts',
    right: '      if (error instanceof KeyTakenError) isKeyTaken = true;\n',
    wrong: '',
    noticedBy: 'batch',
  },
  {
    name: 'a look before the row is held, when a lost attempt may still commit',
    file: 'booking/batching/decide-batch.ts',
    right: `  const stock = await lockStock(trx, eventId, { mayWait, arrivedAtMs: oldestArrivalOf(batch) });
  if (stock === undefined) {
    const isThere = (await readStock(trx, eventId)) !== undefined;
    return isThere ? 'locked' : { decisions: batch.map(() => EVENT_NOT_FOUND) };
  }
  if (token !== null) {
    if (stock.fence > token) return { fence: stock.fence };
    await raiseFence(trx, { eventId, token });
  }
  const inDoubt = batch.filter(({ isInDoubt }) => isInDoubt || isKeyTaken).map(({ request }) => request);
  const booked = new Map<string, Booked>();
  for (const [name, first] of inDoubt.length > 0 ? await findFirstBookings(trx, inDoubt) : [])
    booked.set(name, { ...first.booking, expiresAt: first.booking.firstExpiresAt });
`,
    wrong: `  const inDoubt = batch.filter(({ isInDoubt }) => isInDoubt || isKeyTaken).map(({ request }) => request);
  const booked = new Map<string, Booked>();
  for (const [name, first] of inDoubt.length > 0 ? await findFirstBookings(trx, inDoubt) : [])
    booked.set(name, { ...first.booking, expiresAt: first.booking.firstExpiresAt });
  const stock = await lockStock(trx, eventId, { mayWait, arrivedAtMs: oldestArrivalOf(batch) });
  if (stock === undefined) {
    const isThere = (await readStock(trx, eventId)) !== undefined;
    return isThere ? 'locked' : { decisions: batch.map(() => EVENT_NOT_FOUND) };
  }
  if (token !== null) {
    if (stock.fence > token) return { fence: stock.fence };
    await raiseFence(trx, { eventId, token });
  }
`,
    noticedBy: 'batch',
  },
  {
    name: 'no look at the lease before the commit',
    file: 'booking/batching/decide-batch.ts',
    right: `  guard.assertHeld();

  const isLostAttemptOver`,
    wrong: '  const isLostAttemptOver',
    noticedBy: 'batch',
  },
  {
    name: 'no look at the lease before the statement that commits by itself',
    file: 'booking/batching/decide-batch.ts',
    right: `        guard.assertHeld();
        const batch = takeSome();`,
    wrong: '        const batch = takeSome();',
    noticedBy: 'batch',
  },
  {
    name: 'a batch that is taken before it is sent',
    file: 'booking/batching/decide-batch.ts',
    right: `  const take = () => {
    if (taken !== undefined) return taken;
    taken = options.take();
`,
    wrong: `  const early = options.take();
  const take = () => {
    if (taken !== undefined) return taken;
    taken = early;
`,
    noticedBy: 'batch',
  },
  {
    name: 'what an attempt booked whose answer was lost counts against the stock once more',
    file: 'booking/batching/decide-batch.ts',
    right: '    open.map(({ request }) => request.quantity),',
    wrong: '    batch.map(({ request }) => request.quantity),',
    noticedBy: 'batch',
  },
  {
    name: 'an attempt that may have booked is given up at the next broken connection',
    file: 'booking/batching/decide-batch.ts',
    right: 'return isPostgresFailure(error) && batch.some(({ isInDoubt }) => isInDoubt);',
    wrong: 'return false;',
    noticedBy: 'crashes',
  },
  {
    name: 'who is in doubt without a fence is told that it is sold out',
    file: 'booking/batching/decide-batch.ts',
    right: `if (pending.isInDoubt && !isLostAttemptOver) return { code: 'unknown' };`,
    wrong: '',
    noticedBy: 'batch',
  },
  {
    name: 'the booking of an earlier request with the same key is taken for the one of this request',
    file: 'booking/batching/decide-batch.ts',
    right: 'if (found?.bookingId === pending.request.bookingId)',
    wrong: 'if (found !== undefined)',
    noticedBy: 'batch',
  },
  {
    name: 'one row that Postgres refuses is the end of its batch',
    file: 'booking/batching/decide-batch.ts',
    right: 'if (batch.length === 1 || !mayBeOneRow) {',
    wrong: 'if (batch.length > 0) {',
    noticedBy: 'batch',
  },
  {
    name: 'a new lease whose token is not above the fence',
    file: 'booking/batching/decide-batch.ts',
    right: 'nextGuard({ waitMs: Math.max(0, giveUpAtMs - performance.now()), tokenAbove })',
    wrong: 'nextGuard({ waitMs: Math.max(0, giveUpAtMs - performance.now()), tokenAbove: undefined })',
    noticedBy: 'batch',
  },
  {
    name: 'a lock that is kept after the batch',
    file: 'booking/batching/decide-batch.ts',
    right: `      guard?.release();
`,
    wrong: '',
    noticedBy: 'batch',
  },
  {
    name: 'some are refused who may still fit',
    file: 'booking/batching/decide-batch.ts',
    right: 'outcomes.every((outcome) => outcome !== undefined)',
    wrong: 'outcomes.some((outcome) => outcome !== undefined)',
    noticedBy: 'batch',
  },
  {
    name: 'who may be booked already is told that it is not',
    file: 'booking/batching/pending.ts',
    right: `pending.settle(pending.isInDoubt ? { code: 'unknown', cause } : { code: 'busy', detail, cause });`,
    wrong: `pending.settle({ code: 'busy', detail });`,
    noticedBy: 'queues',
  },
  {
    name: 'two batches of one event in one statement, which changes a row once',
    file: 'booking/batching/book-together.ts',
    right: 'taken.size < MAX_EVENTS && !taken.has(eventId)) taken.set(eventId, each);',
    wrong: 'taken.size < MAX_EVENTS) taken.set(taken.size, each);',
    noticedBy: 'together',
  },
  {
    name: 'one batch that Postgres refuses is the end of all that were sent with it',
    file: 'booking/batching/book-together.ts',
    right: 'if (isAlone || error instanceof CommitUnknownError || error instanceof PostgresUnavailableError)',
    wrong: 'if (error !== undefined)',
    noticedBy: 'together',
  },
  {
    name: 'a batch counts as booked because another one in its statement is',
    file: 'booking/batching/book-together.ts',
    right: 'const result = results[i] as BatchResult;',
    wrong: 'const result = results.find(({ isBooked }) => isBooked) ?? (results[i] as BatchResult);',
    noticedBy: 'together',
  },
  {
    name: 'events wait behind one whose row is locked',
    file: 'booking/batching/row-waits.ts',
    right: `if (waiting >= maxWaiting) return undefined;
`,
    wrong: '',
    noticedBy: 'together',
  },
  {
    name: 'an event waits for a row of another one',
    file: 'storage/batches.ts',
    right: 'for update skip locked',
    wrong: 'for update',
    noticedBy: 'together',
  },
  {
    name: 'several events at once, and no fence',
    file: 'storage/batches.ts',
    right: 'and available >= total and fence <= coalesce(token, fence)',
    wrong: 'and available >= total',
    noticedBy: 'statements',
  },
  {
    name: 'no fence around the batch: a late holder books',
    file: 'storage/batches.ts',
    right: `and available >= \${total} and fence <= coalesce(\${token}::bigint, fence)`,
    wrong: `and available >= \${total}`,
    noticedBy: 'statements',
  },
  {
    name: 'what customers have is counted, and then somebody else books',
    file: 'storage/batches.ts',
    right: 'version = seen_version and ',
    wrong: '',
    noticedBy: 'statements',
  },
  {
    name: 'what customers have is held against another limit than there is now',
    file: 'storage/batches.ts',
    right: ' and max_per_customer = seen_limit',
    wrong: '',
    noticedBy: 'statements',
  },
  {
    name: 'two bookings of a customer in one batch are each held against the limit alone',
    file: 'storage/batches.ts',
    right: 'one.total += quantity;',
    wrong: 'one.total = quantity;',
    noticedBy: 'statements',
  },
  {
    name: 'a fence that is lowered',
    file: 'storage/batches.ts',
    right: `    .where('fence', '<', token)\n`,
    wrong: '',
    noticedBy: 'statements',
  },
  {
    name: 'a batch that does not leave its token as the fence',
    file: 'storage/batches.ts',
    right: `fence = coalesce(\${token}::bigint, fence), version`,
    wrong: 'version',
    noticedBy: 'statements',
  },
  {
    name: 'one request counts twice in the sum',
    file: 'storage/batches.ts',
    right: 'sum + quantity, 0);',
    wrong: 'sum + quantity, bookings[0]?.quantity ?? 0);',
    noticedBy: 'statements',
  },
  {
    name: 'the stock is taken twice',
    file: 'storage/batches.ts',
    right: `available = available - \${total}`,
    wrong: `available = available - 2 * \${total}::integer`,
    noticedBy: 'statements',
  },
  {
    name: 'one ticket is sold too many',
    file: 'storage/batches.ts',
    right: 'where event_id = ${eventId} and available >= ${total}',
    wrong: 'where event_id = ${eventId} and available >= ${total - 1}',
    noticedBy: 'statements',
  },
  {
    name: 'an answer to COMMIT that is lost is taken for a no',
    file: 'storage/transaction.ts',
    right: `  return new CommitUnknownError('the connection was lost during COMMIT', { cause: error });`,
    wrong: '  return error;',
    noticedBy: 'crashes',
  },
  {
    name: 'a statement whose answer is lost is taken for a no',
    file: 'storage/transaction.ts',
    right: 'throw isSent ? commitFailure(error) : error;',
    wrong: 'throw error;',
    noticedBy: 'crashes',
  },
  {
    name: 'the first one that does not fit ends the sale',
    file: 'booking/batching/allocate.ts',
    right: 'if (quantity > left) return false;',
    wrong: `if (quantity > left) left = 0;
    if (left === 0) return false;`,
    noticedBy: 'allocation',
  },
  {
    name: 'the order of arrival is lost: the last one is served first',
    file: 'booking/batching/batch-queues.ts',
    right: 'queue.pending.push(pending);',
    wrong: 'queue.pending.unshift(pending);',
    noticedBy: 'queues',
  },
  {
    name: 'a request whose buyer has gone is booked',
    file: 'booking/batching/batch-queues.ts',
    right: 'pending.deadlineMs <= now || pending.request.signal.aborted',
    wrong: 'pending.deadlineMs <= now',
    noticedBy: 'queues',
  },
  {
    name: 'a request whose time is over is booked late',
    file: 'booking/batching/batch-queues.ts',
    right: 'pending.deadlineMs <= now || pending.request.signal.aborted',
    wrong: 'pending.request.signal.aborted',
    noticedBy: 'queues',
  },
  {
    name: 'two batches of one event are decided at once',
    file: 'booking/batching/batch-queues.ts',
    right: `    if (queue.isDeciding) return;
`,
    wrong: '',
    noticedBy: 'queues',
  },
  {
    name: 'who comes while a batch is under way is decided by what it has read',
    file: 'booking/batching/batch-queues.ts',
    right: 'take: () => take(queue, maxBatch),',
    wrong: 'take: () => queue.pending,',
    noticedBy: 'queues',
  },
];
