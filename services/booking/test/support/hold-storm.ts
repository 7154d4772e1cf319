import { setTimeout as sleep } from 'node:timers/promises';

import { sql } from 'kysely';

import type { Db } from '#src/storage/schema.ts';

/**
 * Clients who hold, confirm, extend, give up, book, cancel and repeat at random, all on one event, while holds end by
 * themselves; and a witness who adds up the event in Postgres again and again, each time in one statement.
 */
export interface Storm {
  /** How often each thing was asked and answered: "confirm 409 hold_expired". */
  answers: Map<string, number>;
  /** What must not be: an answer that is none of the contract's, a sum that is wrong. One sentence each. */
  faults: string[];
  snapshots: number;
}

export interface StormOptions {
  db: Db;
  urls: readonly string[];
  eventId: number;
  clients: number;
  durationMs: number;
  /** Answers without which it goes on for longer: on a busy machine little happens in a second. */
  until?: readonly string[];
  snapshotEveryMs: number;
}

/** What each request may be answered with; `busy` is for everybody. */
const PROPER: Record<string, readonly string[]> = {
  hold: ['201', '409 sold_out', '409 all_held', '409 limit_reached'],
  book: ['201', '409 sold_out', '409 all_held', '409 limit_reached'],
  repeat: ['201', '409 sold_out', '409 all_held', '409 limit_reached', '409 idempotency_key_in_use'],
  confirm: ['200', '409 hold_expired', '409 not_held'],
  extend: ['200', '409 hold_expired', '409 not_held'],
  'give up': ['200', '409 hold_expired', '409 not_held'],
  cancel: ['200', '404 booking_not_found'],
};

/** Beyond its duration; whoever has not seen then what he waits for sees it never. */
const MAX_LONGER_MS = 30_000;

/** For so long what was made is asked for again. */
const REMEMBERED_MS = 3_000;

/** A buyer who comes back when his hold has ended: the others are so quick that hardly any hold lasts until then. */
const LEFT_ALONE_MS = 3_000;

const dice = (sides: number) => Math.floor(Math.random() * sides);

interface Made {
  id: string;
  atMs: number;
  /** What was sent, to be sent again. */
  again: () => Promise<string | undefined>;
}

export async function holdStorm(options: StormOptions): Promise<Storm> {
  const { db, urls, eventId, clients, durationMs, until = [], snapshotEveryMs } = options;
  const storm: Storm = { answers: new Map(), faults: [], snapshots: 0 };
  const untilMs = performance.now() + durationMs;
  const isOver = () => {
    const now = performance.now();
    const isSeen = until.every((answer) => storm.answers.has(answer));
    return now >= untilMs && (isSeen || now >= untilMs + MAX_LONGER_MS);
  };
  const made: Made[] = [];
  let keys = 0;

  async function ask(what: string, method: string, path: string, body?: object, key?: string) {
    const url = urls[Math.floor(Math.random() * urls.length)] ?? '';
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { 'content-type': 'application/json', ...(key !== undefined && { 'idempotency-key': key }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const content = (await response.json()) as { code?: string; bookingId?: string };
    const answer = response.ok ? String(response.status) : `${response.status} ${content.code}`;
    storm.answers.set(`${what} ${answer}`, (storm.answers.get(`${what} ${answer}`) ?? 0) + 1);
    if (answer !== '503 busy' && !PROPER[what]?.includes(answer)) storm.faults.push(`${what}: ${answer}`);
    return response.ok ? content.bookingId : undefined;
  }

  /** Mostly one of the last, so that most holds are still there; and any, so that somebody comes too late. */
  const someone = () => made.at(-1 - dice(dice(3) === 0 ? made.length : Math.min(made.length, 20)));

  /** What was confirmed and is forgotten would be sold for ever, and soon nothing would happen any more. */
  async function forgetOldest(): Promise<void> {
    const [oldest] = made;
    if (oldest === undefined || oldest.atMs > performance.now() - REMEMBERED_MS) return;
    made.shift();
    await ask('cancel', 'DELETE', `/bookings/${oldest.id}`);
  }

  async function make(what: 'hold' | 'book'): Promise<void> {
    const key = dice(2) === 0 ? `key ${(keys += 1)}` : undefined;
    const path = `/events/${eventId}/${what === 'hold' ? 'holds' : 'bookings'}`;
    const body = {
      customer: `customer ${dice(5)}`,
      quantity: 1 + dice(3),
      ...(what === 'hold' && { seconds: 1 + dice(2) }),
    };
    const again = (as: string) => ask(as, 'POST', path, body, key);
    // Two at the same time now and then, through whichever replicas.
    const ids = await Promise.all(
      key !== undefined && dice(4) === 0 ? [again('repeat'), again('repeat')] : [again(what)],
    );
    const id = ids.find((each) => each !== undefined);
    if (id === undefined) return;
    if (key !== undefined && new Set(ids.filter((each) => each !== undefined)).size > 1)
      storm.faults.push(`${key} has made two bookings`);
    const remember = () =>
      made.push({
        id,
        atMs: performance.now(),
        again: async () => (key === undefined ? id : again('repeat')),
      });
    if (what === 'hold' && dice(8) === 0) setTimeout(remember, LEFT_ALONE_MS).unref();
    else remember();
  }

  async function client(): Promise<void> {
    while (!isOver()) {
      await forgetOldest();
      const one = someone();
      const kind = one === undefined ? 0 : dice(12);
      if (kind < 4) await make('hold');
      else if (kind < 5) await make('book');
      else if (one === undefined) continue;
      else if (kind < 7) await ask('confirm', 'POST', `/holds/${one.id}/confirm`);
      else if (kind < 8) await ask('extend', 'PATCH', `/holds/${one.id}`, { seconds: 1 + dice(3) });
      else if (kind < 9) await ask('give up', 'DELETE', `/holds/${one.id}`);
      else if (kind < 11) await ask('cancel', 'DELETE', `/bookings/${one.id}`);
      else {
        const id = await one.again();
        if (id !== undefined && id !== one.id) storm.faults.push(`a repeat of ${one.id} has made ${id}`);
      }
    }
  }

  async function witness(): Promise<void> {
    while (!isOver()) {
      const { rows } = await sql<Record<'capacity' | 'free' | 'held' | 'heldRows' | 'confirmed', number>>`
        select capacity, available + coalesce(stock.ended, 0) as free, coalesce(stock.held, 0) as held,
               coalesce(rows.held, 0) as "heldRows", coalesce(rows.confirmed, 0) as confirmed
        from inventory, (
          select sum(quantity) filter (where ends_at <= statement_timestamp()) as ended,
                 sum(quantity) filter (where ends_at > statement_timestamp()) as held
          from held_stock where event_id = ${eventId}
        ) stock, (
          select sum(quantity) filter (where state = 'confirmed') as confirmed,
                 sum(quantity) filter (where state = 'held' and expires_at > statement_timestamp()) as held
          from bookings where event_id = ${eventId}
        ) rows where event_id = ${eventId}`.execute(db);
      const now = rows[0];
      storm.snapshots += 1;
      if (
        now === undefined ||
        now.confirmed + now.held + now.free !== now.capacity ||
        now.held !== now.heldRows
      )
        storm.faults.push(`a snapshot does not add up: ${JSON.stringify(now)}`);
      // A hold counts as long as its row of held stock is there: no clock is asked.
      const { rows: tooMany } = await sql`
        select customer, sum(bookings.quantity) as tickets from bookings
        left join held_stock on held_stock.event_id = bookings.event_id and ends_at = expires_at
        where bookings.event_id = ${eventId} and (state = 'confirmed' or (state = 'held' and ends_at is not null))
        group by customer
        having sum(bookings.quantity) > (select max_per_customer from inventory where event_id = ${eventId})`.execute(
        db,
      );
      if (tooMany.length > 0) storm.faults.push(`more than the limit: ${JSON.stringify(tooMany)}`);
      await sleep(snapshotEveryMs);
    }
  }

  await Promise.all([...Array.from({ length: clients }, client), witness()]);
  return storm;
}
