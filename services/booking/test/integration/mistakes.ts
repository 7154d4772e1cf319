import type { Mistake } from '@lastseat/infra/seeded-mistakes';

/**
 * Which tests notice: `together` books several events in one statement, `batch` decides one batch on a real Postgres, `statements` asks its SQL alone, `crashes` breaks
 * the connections of two replicas.
 */
export type Noticer =
  | 'queues'
  | 'delegation'
  | 'notes'
  | 'allocation'
  | 'together'
  | 'batch'
  | 'statements'
  | 'crashes';

/** Mistakes that somebody could make in batched-lock. */
export const mistakes: readonly Mistake<Noticer>[] = [
  {
    name: 'an answer before the commit',
    file: 'booking/batching/decide-batch.ts',
    right: '  return { verdicts };\n}',
    wrong:
      '  for (const [i, pending] of batch.entries()) pending.settle(verdicts[i] as Verdict);\n  return { verdicts };\n}',
    noticedBy: 'batch',
  },
  {
    name: 'a retry without looking',
    file: 'booking/batching/decide-batch.ts',
    right:
      'if (error instanceof CommitUnknownError) for (const pending of batch) pending.mayBeBooked = true;',
    wrong: '',
    noticedBy: 'batch',
  },
  {
    name: 'a request that was booked already is not looked for, because nobody had said so',
    file: 'booking/batching/decide-batch.ts',
    right: '    for (const pending of batch) pending.mayBeBooked = true;\n    return false;',
    wrong: '    return false;',
    noticedBy: 'batch',
  },
  {
    name: 'a look before the fence is raised, when a lost attempt may still commit',
    file: 'booking/batching/decide-batch.ts',
    right: `  const stock = await lockStockAndRaiseFence(trx, { eventId, token });
  if (stock === undefined) {
    const now = await readStock(trx, eventId);
    return now === undefined ? { verdicts: batch.map(() => EVENT_NOT_FOUND) } : { fence: now.fence };
  }
  const uncertain = batch.filter(({ mayBeBooked }) => mayBeBooked).map(({ request }) => request.bookingId);
  const already = uncertain.length > 0 ? await findTokensOfBooked(trx, uncertain) : new Map<string, number>();
`,
    wrong: `  const uncertain = batch.filter(({ mayBeBooked }) => mayBeBooked).map(({ request }) => request.bookingId);
  const already = uncertain.length > 0 ? await findTokensOfBooked(trx, uncertain) : new Map<string, number>();
  const stock = await lockStockAndRaiseFence(trx, { eventId, token });
  if (stock === undefined) {
    const now = await readStock(trx, eventId);
    return now === undefined ? { verdicts: batch.map(() => EVENT_NOT_FOUND) } : { fence: now.fence };
  }
`,
    noticedBy: 'batch',
  },
  {
    name: 'a batch that is taken before the lock is held',
    file: 'booking/batching/decide-batch.ts',
    right: '  let lease: Lease;\n  try {\n',
    wrong: "  let lease: Lease;\n  const early = take('me:0');\n  take = () => early;\n  try {\n",
    noticedBy: 'batch',
  },
  {
    name: 'no look at the lease before the commit',
    file: 'booking/batching/decide-batch.ts',
    right: '  lease.assertHeld();\n\n  const tokens',
    wrong: '  const tokens',
    noticedBy: 'batch',
  },
  {
    name: 'no look at the lease before the statement that commits by itself',
    file: 'booking/batching/book-together.ts',
    right: '    lease.assertHeld();\n    return true;',
    wrong: '    return true;',
    noticedBy: 'batch',
  },
  {
    name: 'two batches of one event in one statement, which changes a row once',
    file: 'booking/batching/book-together.ts',
    right: 'taken.size < MAX_EVENTS && !taken.has(eventId)',
    wrong: 'taken.size < MAX_EVENTS',
    noticedBy: 'together',
  },
  {
    name: 'one batch that Postgres refuses is the end of all that were sent with it',
    file: 'booking/batching/book-together.ts',
    right: 'error instanceof CommitUnknownError || error instanceof PostgresUnavailableError',
    wrong: 'error !== undefined',
    noticedBy: 'together',
  },
  {
    name: 'a batch counts as booked because another one in its statement is',
    file: 'booking/batching/book-together.ts',
    right: 'resolve(booked.has(batch.eventId))',
    wrong: 'resolve(booked.size > 0)',
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
    right: 'and fence <= token and available',
    wrong: 'and available',
    noticedBy: 'together',
  },
  {
    name: 'other replicas’ requests are retried under a new lease, that they know nothing of',
    file: 'booking/batching/decide-batch.ts',
    right: '    batch = keepOwn(batch);\n',
    wrong: '',
    noticedBy: 'batch',
  },
  {
    name: 'another replica is told that a request is not booked whose attempt was lost',
    file: 'booking/batching/decide-batch.ts',
    right: "if (grant !== undefined) settle({ code: 'unsettled' });",
    wrong: "if (grant !== undefined) settle({ code: 'declined' });",
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
    name: 'an answer to COMMIT that is lost is taken for a no',
    file: 'storage/transaction.ts',
    right: "  return new CommitUnknownError('the connection was lost during COMMIT', { cause: error });",
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
    name: 'an attempt that may have booked is given up at the next broken connection',
    file: 'booking/batching/decide-batch.ts',
    right: '(isPostgresFailure(error) && batch.some(({ mayBeBooked }) => mayBeBooked))',
    wrong: 'false',
    noticedBy: 'crashes',
  },
  {
    name: 'a new lease whose token is not above the fence',
    file: 'booking/batching/decide-batch.ts',
    right: '...(tokenAbove === undefined ? {} : { tokenAbove }),',
    wrong: '',
    noticedBy: 'batch',
  },
  {
    name: 'a lock that is kept after the batch',
    file: 'booking/batching/decide-batch.ts',
    right: 'void lease.release().catch(deps.onReleaseFailed);',
    wrong: '',
    noticedBy: 'batch',
  },
  {
    name: 'what is left is told without what this batch took: notes refuse nobody',
    file: 'booking/batching/decide-batch.ts',
    right: 'available: stock.available - taken,',
    wrong: 'available: stock.available,',
    noticedBy: 'batch',
  },
  {
    name: 'no fence around the batch: a late holder books',
    file: 'storage/batches.ts',
    right: 'and fence <= ${token} and available',
    wrong: 'and available',
    noticedBy: 'statements',
  },
  {
    name: 'a fence that a late holder lowers',
    file: 'storage/batches.ts',
    right: 'and fence <= ${token}\n    returning',
    wrong: '\n    returning',
    noticedBy: 'statements',
  },
  {
    name: 'a batch that does not leave its token as the fence',
    file: 'storage/batches.ts',
    right: ' - ${total}, fence = ${token},',
    wrong: ' - ${total},',
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
    right: 'available = available - ${total}',
    wrong: 'available = available - 2 * ${total}::integer',
    noticedBy: 'statements',
  },
  {
    name: 'the stock and the rows in two statements',
    file: 'storage/batches.ts',
    right: `  const { numAffectedRows } = await sql\`
    with taken as (
      update inventory set available = available - \${total}, fence = \${token}, version = version + 1
      where event_id = \${eventId} and fence <= \${token} and available >= \${total}
`,
    wrong: `  const { numAffectedRows: first } = await sql\`
    update inventory set available = available - \${total}
    where event_id = \${eventId} and fence <= \${token} and available >= \${total}\`.execute(db);
  if (first === 0n) return false;
  const { numAffectedRows } = await sql\`
    with taken as (
      update inventory set fence = \${token}, version = version + 1
      where event_id = \${eventId} and fence <= \${token}
`,
    noticedBy: 'crashes',
  },
  {
    name: 'one ticket is sold too many',
    file: 'storage/batches.ts',
    right: 'available >= ${total}',
    wrong: 'available >= ${total - 1}',
    noticedBy: 'statements',
  },
  {
    name: 'the first one that does not fit ends the sale',
    file: 'booking/batching/allocate.ts',
    right: 'if (quantity > left) return false;',
    wrong: 'if (quantity > left) left = 0;\n    if (left === 0) return false;',
    noticedBy: 'allocation',
  },
  {
    name: 'the order of arrival is lost: the last one is served first',
    file: 'booking/batching/batch-queues.ts',
    right: 'queue.waiting.push(pending);',
    wrong: 'queue.waiting.unshift(pending);',
    noticedBy: 'queues',
  },
  {
    name: 'who was turned away stands behind those who came later',
    file: 'booking/batching/batch-queues.ts',
    right: 'queue.waiting.unshift(...undecided);',
    wrong: 'queue.waiting.push(...undecided);',
    noticedBy: 'queues',
  },
  {
    name: 'who was turned away asks again, and does not stand in line',
    file: 'booking/batching/batch-queues.ts',
    right: '        queue.standsInLine = true;\n        queue.waiting.unshift',
    wrong: '        queue.waiting.unshift',
    noticedBy: 'queues',
  },
  {
    name: 'a request whose buyer has gone is booked',
    file: 'booking/batching/batch-queues.ts',
    right: 'return deadlineMs <= now || request.signal.aborted;',
    wrong: 'return deadlineMs <= now;',
    noticedBy: 'queues',
  },
  {
    name: 'a request whose time is over is booked late',
    file: 'booking/batching/batch-queues.ts',
    right: 'return deadlineMs <= now || request.signal.aborted;',
    wrong: 'return request.signal.aborted;',
    noticedBy: 'queues',
  },
  {
    name: 'two batches of one event are decided at once',
    file: 'booking/batching/batch-queues.ts',
    right: '    if (queue.isDeciding) return;\n',
    wrong: '',
    noticedBy: 'queues',
  },
  {
    name: 'another replica’s request is booked under another grant than it named',
    file: 'booking/batching/batch-queues.ts',
    right:
      "      else if (pending.grant !== undefined && pending.grant !== grant) pending.settle({ code: 'declined' });\n",
    wrong: '',
    noticedBy: 'queues',
  },
  {
    name: 'another replica’s request waits with ours for a lock that somebody else holds',
    file: 'booking/batching/batch-queues.ts',
    right: "      if (pending.grant !== undefined) pending.settle({ code: 'declined' });\n      return",
    wrong: '      return pending !== undefined ||',
    noticedBy: 'queues',
  },
  {
    name: 'who may be booked already is told that it is not',
    file: 'booking/batching/pending.ts',
    right: "pending.settle(pending.mayBeBooked ? { code: 'unknown' } : { code: 'busy', detail });",
    wrong: "pending.settle({ code: 'busy', detail });",
    noticedBy: 'queues',
  },
  {
    name: 'a question for a grant of long ago is admitted',
    file: 'booking/batching/delegation.ts',
    right: '!isRetired && holds(eventId, grant)',
    wrong: '!isRetired',
    noticedBy: 'delegation',
  },
  {
    name: 'a question that is not answered is reported as not booked',
    file: 'booking/batching/delegation.ts',
    right: "answerWithinMs, group, 'unsettled')",
    wrong: "answerWithinMs, group, 'declined')",
    noticedBy: 'delegation',
  },
  {
    name: 'a question of which nobody knows whether it came is reported as not booked',
    file: 'booking/batching/delegation.ts',
    right: '      () => undefined,\n',
    wrong: "      () => closeOpen(group, 'declined'),\n",
    noticedBy: 'delegation',
  },
  {
    name: 'an answer that comes too late is believed',
    file: 'booking/batching/delegation.ts',
    right: '    if (group === undefined || pending === undefined) return;\n    asked.delete(bookingId);\n',
    wrong: `    if (group !== undefined && pending === undefined)
      group.undecided.find(({ request }) => request.bookingId === bookingId)?.settle(verdict);
    if (group === undefined || pending === undefined) return;
`,
    noticedBy: 'delegation',
  },
  {
    name: 'a question that comes twice is admitted twice',
    file: 'booking/batching/delegation.ts',
    right: '} else if (!admitted.has(bookingId)) {',
    wrong: '} else {',
    noticedBy: 'delegation',
  },
  {
    name: 'a replica that is about to stop goes on to book for others',
    file: 'booking/batching/delegation.ts',
    right: '      isRetired = true;',
    wrong: '',
    noticedBy: 'delegation',
  },
  {
    name: 'a deadline told by one’s own clock, which says nothing to another process',
    file: 'booking/batching/delegation.ts',
    right: 'Math.floor(deadlineMs - now)',
    wrong: 'Math.floor(deadlineMs)',
    noticedBy: 'delegation',
  },
  {
    name: 'a sold-out note that a change of the stock does not clear',
    file: 'booking/batching/sold-out-notes.ts',
    right: '      notes.delete(eventId);\n      if (clearedAtMs',
    wrong: '      if (clearedAtMs',
    noticedBy: 'notes',
  },
  {
    name: 'a sold-out note that never ends',
    file: 'booking/batching/sold-out-notes.ts',
    right: 'if (note.expiresAtMs > now()) return',
    wrong: 'if (note.expiresAtMs > 0) return',
    noticedBy: 'notes',
  },
  {
    name: 'a sold-out note whose age counts from the end of the read',
    file: 'booking/batching/sold-out-notes.ts',
    right: 'expiresAtMs: readStartedAtMs + maxAgeMs',
    wrong: 'expiresAtMs: now() + maxAgeMs',
    noticedBy: 'notes',
  },
  {
    name: 'a sold-out note from before the stock changed',
    file: 'booking/batching/sold-out-notes.ts',
    right: '      if (readStartedAtMs < (clearedAtMs.get(eventId) ?? -Infinity)) return;\n',
    wrong: '',
    noticedBy: 'notes',
  },
];
