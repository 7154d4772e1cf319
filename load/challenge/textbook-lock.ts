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

/** SET NX PX, and a release that deletes only its own: one booking at a time, until a holder is paused past its lease. */
const textbookLock: LabStrategyFactory = ({ db, redis, instanceId, lockTtlMs, lockWaitMs, eventExists }) => ({
  name: 'my-textbook-lock',
  guarantee: 'always',

  async book(request) {
    const { arrivedAtMs, deadlineMs, eventId, quantity, signal } = request;
    if (!(await eventExists(eventId))) return EVENT_NOT_FOUND;
    const key = `my-textbook-lock:${eventId}`;
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
          strategy: 'my-textbook-lock',
          instanceId,
          fencingToken: null,
        });
      });
    } finally {
      await redis.eval(RELEASE, 1, key, id).catch(() => {});
    }
  },
});

export default textbookLock;
