import {
  CHANGED_MEANWHILE,
  commitBooking,
  EVENT_NOT_FOUND,
  holdRaceWindow,
  insertWithinTerms,
  readStock,
  SOLD_OUT,
  writeStock,
  type LabStrategyFactory,
} from '@lastseat/booking/strategy';

/**
 * Where to begin: read, decide, write, and nothing that keeps two buyers apart. Copy it, give it a name of its own, and
 * put your guard in. It is convicted as it stands.
 */
const template: LabStrategyFactory = ({ db, instanceId }) => ({
  // In the path POST /book/{name}/{event}, and in every row.
  name: 'my-guard',
  // What it is held to. 'while-lease-held': a holder that is paused past its lease, or a Redis that loses the lock, may
  // break it. 'always': nothing may.
  guarantee: 'always',

  /** Books all tickets or none. What is thrown means that nothing was written, and the buyer is told to come back. */
  async book(request) {
    const { arrivedAtMs, deadlineMs, eventId, quantity } = request;
    const stock = await readStock(db.until(deadlineMs), eventId, arrivedAtMs);
    if (stock === undefined) return EVENT_NOT_FOUND;
    if (stock.isOfLaterEpoch) return CHANGED_MEANWHILE;
    if (stock.available < quantity) return SOLD_OUT;

    // Required between the read and the write. The challenge holds bookings here, and pauses and kills replicas: whatever
    // can happen between two lines of a program happens here, for certain.
    await holdRaceWindow(request);

    return commitBooking(db, request, async (trx) => {
      const { epoch, changes } = stock;
      const left = stock.available - quantity;
      const taken = await writeStock(trx, { eventId, epoch, changes, available: left });
      if (taken === undefined) return CHANGED_MEANWHILE;
      return insertWithinTerms(trx, {
        ...request,
        ...taken,
        epoch,
        strategy: 'my-guard',
        instanceId,
        fencingToken: null,
      });
    });
  },
});

export default template;
