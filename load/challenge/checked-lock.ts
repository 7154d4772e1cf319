import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import {
  CHANGED_MEANWHILE,
  commitBooking,
  EVENT_NOT_FOUND,
  holdRaceWindow,
  insertWithinTerms,
  lockWaitOf,
  readStock,
  SOLD_OUT,
  writeStock,
  type LabStrategyFactory,
} from '@lastseat/booking/strategy';

const RELEASE = `if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0`;

/**
 * The textbook lock, whose author has heard of pauses: before it writes it asks Redis whether the lock is still its own.
 * It looks right, and no crowd breaks it. It is wrong: between that answer and the write there is time to be paused in.
 */
const checkedLock: LabStrategyFactory = ({ db, redis, instanceId, lockTtlMs, lockWaitMs, eventExists }) => ({
  name: 'my-checked-lock',
  guarantee: 'always',

  async book(request) {
    const { arrivedAtMs, deadlineMs, eventId, quantity, signal } = request;
    if (!(await eventExists(eventId))) return EVENT_NOT_FOUND;
    const key = `my-checked-lock:${eventId}`;
    const id = randomUUID();
    const giveUpAtMs = performance.now() + lockWaitOf(request, lockWaitMs);
    while ((await redis.set(key, id, 'PX', lockTtlMs, 'NX')) === null) {
      if (performance.now() > giveUpAtMs) return { code: 'busy', detail: 'Others hold the lock.' };
      await sleep(5 + 10 * Math.random(), undefined, { signal });
    }
    try {
      const stock = await readStock(db.until(deadlineMs), eventId, arrivedAtMs);
      if (stock === undefined) return EVENT_NOT_FOUND;
      if (stock.isOfLaterEpoch) return CHANGED_MEANWHILE;
      if (stock.available < quantity) return SOLD_OUT;

      if ((await redis.get(key)) !== id) return { code: 'busy', detail: 'The lock was lost.' };

      await holdRaceWindow(request);

      return await commitBooking(db, request, async (trx) => {
        const { epoch, changes } = stock;
        const left = stock.available - quantity;
        const taken = await writeStock(trx, { eventId, epoch, changes, available: left });
        if (taken === undefined) return CHANGED_MEANWHILE;
        return insertWithinTerms(trx, {
          ...request,
          ...taken,
          epoch,
          strategy: 'my-checked-lock',
          instanceId,
          fencingToken: null,
        });
      });
    } finally {
      await redis.eval(RELEASE, 1, key, id).catch(() => {});
    }
  },
});

export default checkedLock;
