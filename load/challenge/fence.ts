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
  takeStockFenced,
  type LabStrategyFactory,
} from '@lastseat/booking/strategy';

/** Takes the lock and, in the same step, a number that is larger than every one before; 0 where it is taken. */
const ACQUIRE = `
  if redis.call('set', KEYS[1], ARGV[1], 'PX', ARGV[2], 'NX') then
    local token = math.max(tonumber(redis.call('get', KEYS[2]) or '0'), tonumber(ARGV[3])) + 1
    redis.call('set', KEYS[2], string.format('%.0f', token))
    return token
  end
  return 0`;
const RELEASE = `if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0`;

/**
 * The same lock, and its holder brings a token that Postgres compares with the largest it has seen, in the statement that
 * takes the tickets: `where fence <= token and available >= quantity`. Whoever wakes up late finds a larger one there, and
 * writes nothing. The stock that was read is not written back, it is taken from.
 */
const fence: LabStrategyFactory = ({ db, redis, instanceId, lockTtlMs, lockWaitMs, eventExists }) => ({
  name: 'my-fence',
  guarantee: 'always',

  async book(request) {
    const { arrivedAtMs, deadlineMs, eventId, quantity, signal } = request;
    if (!(await eventExists(eventId))) return EVENT_NOT_FOUND;
    const [key, tokenKey] = [`{my-fence:${eventId}}`, `{my-fence:${eventId}}:token`];
    const id = randomUUID();
    const giveUpAtMs = performance.now() + lockWaitOf(request, lockWaitMs);
    // A Redis that has lost its data counts from the beginning: what Postgres has seen is the least that is of use.
    const { fence: seen = 0 } = (await readStock(db.until(deadlineMs), eventId)) ?? {};
    const tryLock = () => redis.eval(ACQUIRE, 2, key, tokenKey, id, lockTtlMs, seen) as Promise<number>;
    let token = await tryLock();
    while (token === 0) {
      if (performance.now() > giveUpAtMs) return { code: 'busy', detail: 'Others hold the lock.' };
      await sleep(5 + 10 * Math.random(), undefined, { signal });
      token = await tryLock();
    }
    try {
      const stock = await readStock(db.until(deadlineMs), eventId, arrivedAtMs);
      if (stock === undefined) return EVENT_NOT_FOUND;
      if (stock.isOfLaterEpoch) return CHANGED_MEANWHILE;
      if (stock.available < quantity) return SOLD_OUT;

      await holdRaceWindow(request);

      return await commitBooking(db, request, async (trx) => {
        const { epoch } = stock;
        const taken = await takeStockFenced(trx, { eventId, epoch, quantity, token });
        if (taken === undefined) return { code: 'busy', detail: 'Somebody with a larger token was here.' };
        return insertWithinTerms(trx, {
          ...request,
          ...taken,
          epoch,
          strategy: 'my-fence',
          instanceId,
          fencingToken: token,
        });
      });
    } finally {
      await redis.eval(RELEASE, 1, key, id).catch(() => {});
    }
  },
});

export default fence;
