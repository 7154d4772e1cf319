import { randomUUID } from 'node:crypto';
import { once as event } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import type { BookingBody, BookingView, StrategyName } from '@lastseat/booking/contract';
import { Pool } from 'pg';

/**
 * A booking API in one process that pretends to be two replicas, with real rows in a real Postgres. Honest unless
 * told to lie, and then about one thing only.
 */
export interface LyingApi extends AsyncDisposable {
  readonly url: string;
}

export type Lie =
  | 'none'
  | 'answers 201 without writing'
  | 'writes and drops the reply'
  | 'oversells'
  | 'keeps the last ticket'
  | 'gives one booking to two buyers'
  | 'writes two rows for one request'
  | 'says busy and books'
  | 'is one instance'
  | 'signs with another name'
  | 'hangs'
  | 'answers 500'
  | 'is busy at first'
  | 'is busy for ever'
  | 'says sold_out and books later'
  | 'writes a second row later'
  | 'answers 504 and books later'
  | 'answers as nginx, and does not know'
  | 'books, says unknown, and finds it not'
  | 'names no request'
  | 'books one ticket of two'
  | 'names another event'
  | 'refuses the first 60'
  | 'gives no tokens'
  | 'gives falling tokens'
  | 'takes no lock'
  | 'is busy once it is sold out'
  | 'is one process'
  | 'leaves a replica out'
  | 'loses a replica in mid-sale'
  | 'starts over in mid-sale'
  | 'sells to another run'
  | 'gets each request twice';

/** After the answer, and long before the service would have given the request up. */
const LATER_MS = 400;

export async function startLyingApi(postgresUrl: string, lie: Lie): Promise<LyingApi> {
  const replicas = replicasOf(lie);
  // As the service does: what a replica asks of Postgres carries its name.
  const pools = new Map((lie === 'is one process' ? ['twin-1'] : replicas).map((name) => [name, open(name)]));
  const poolOf = (instanceId: string): Pool => pools.get(instanceId) ?? [...pools.values()][0]!;
  const seen = new Set<string>();
  const timers: NodeJS.Timeout[] = [];
  /** Rows that are written when the next run has begun. */
  const forLater: BookingView[] = [];
  /** Booking requests that each replica has had for each event. */
  const received = new Map<string, number>();
  let soldToOther: Promise<void> | undefined;
  let requests = 0;
  let earlier: BookingView | undefined;

  function open(application_name: string): Pool {
    return new Pool({ connectionString: postgresUrl, max: 2, application_name });
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    requests += 1;
    const path = request.url ?? '';
    if (lie === 'loses a replica in mid-sale' && requests === 40) {
      await pools.get(replicas.pop()!)!.end();
      pools.delete('dying');
    }
    const asked = path === '/readyz' ? replicas : replicas.slice(0, 2);
    const instanceId = lie === 'is one instance' ? 'replica-1' : asked[requests % asked.length]!;
    const requestId = randomUUID();
    const reply = (status: number, body: object, headers: Record<string, string> = {}): void => {
      response.writeHead(status, {
        'content-type': 'application/json',
        'x-instance-id': instanceId,
        ...(lie === 'names no request' ? {} : { 'x-request-id': requestId }),
        ...headers,
      });
      response.end(JSON.stringify({ instanceId, ...body }));
    };
    const busy = (): void => reply(503, { code: 'busy' }, { 'retry-after': '0' });
    if (path === '/livez') return reply(200, {});
    if (path === '/readyz') {
      await poolOf(instanceId).query('select 1');
      return reply(200, {});
    }
    if (path.startsWith('/requests/')) {
      const bookingId = await findByRequest(path.slice('/requests/'.length));
      if (bookingId === null || lie === 'books, says unknown, and finds it not') {
        return reply(404, { code: 'booking_not_found' });
      }
      return reply(200, { bookingId });
    }
    const body = JSON.parse(await readBody(request)) as BookingBody & { name: string; capacity: number };
    if (path === '/events') return reply(201, { id: await createEvent(body.name, body.capacity) });

    const { customer = '', quantity = 1 } = body;
    const eventId = Number(path.split('/').at(-1));
    const counter = `${instanceId} of event ${eventId}`;
    received.set(counter, (received.get(counter) ?? 0) + (lie === 'gets each request twice' ? 2 : 1));
    response.setHeader('x-request-count', `${counter}/${received.get(counter)}`);
    while (forLater[0] && forLater[0].eventId !== eventId) await insertRow(forLater.shift()!, null);
    const strategy = strategyOf(path);
    const booking: BookingView = {
      bookingId: randomUUID(),
      eventId,
      customer,
      quantity: lie === 'books one ticket of two' ? 1 : quantity,
      strategy: lie === 'takes no lock' ? 'no-lock' : strategy,
      instanceId: lie === 'signs with another name' ? 'replica-9' : instanceId,
      fencingToken: null,
    };
    if (lie === 'hangs') return;
    if (lie === 'answers 500') return reply(500, { code: 'internal' });
    if (lie === 'is busy for ever') return busy();
    // The buyer, whichever attempt this is.
    const buyer = customer.replace(/-try-\d+$/, '');
    const isFirstCall = !seen.has(buyer);
    seen.add(buyer);
    if (lie === 'is busy at first' && isFirstCall) return busy();
    if (lie === 'answers 201 without writing') return reply(201, booking);
    if (lie === 'refuses the first 60' && seen.size <= 60) return reply(409, { code: 'sold_out' });

    // Before anybody of this run gets one: there is a ticket for it.
    if (lie === 'sells to another run') await (soldToOther ??= sellToAnother(booking));

    const left = lie === 'keeps the last ticket' ? 1 : 0;
    const revision = await takeTickets(booking, left);
    if (revision === null && lie !== 'oversells') return refuse();
    if (booking.strategy === 'fenced-lock' && lie !== 'gives no tokens') {
      booking.fencingToken = 1_000 + (revision ?? 0) * (lie === 'gives falling tokens' ? -1 : 1);
    }
    await insertRow(booking, revision, requestId);
    if (lie === 'books, says unknown, and finds it not' && once('booked')) {
      return reply(504, { code: 'unknown' });
    }
    if (lie === 'writes two rows for one request') {
      await insertRow({ ...booking, bookingId: randomUUID() }, revision);
    }
    if (lie === 'writes a second row later') forLater.push({ ...booking, bookingId: randomUUID() });
    if (lie === 'writes and drops the reply') {
      response.socket?.destroy();
      return;
    }
    if (lie === 'says busy and books') return busy();
    if (lie === 'gives one booking to two buyers') booking.bookingId = (earlier ??= booking).bookingId;
    if (lie === 'names another event') booking.eventId += 1;
    reply(201, booking);

    function refuse(): void {
      const isFirst = once(`refused at ${eventId}`);
      if (lie === 'says sold_out and books later' && isFirst) forLater.push(booking);
      if (lie === 'answers 504 and books later' && isFirst) {
        timers.push(setTimeout(() => void insertRow(booking, null, requestId), LATER_MS));
        return reply(504, { code: 'unknown' });
      }
      if (lie === 'answers as nginx, and does not know' && isFirst) {
        return reply(504, { code: 'unknown', instanceId: 'nginx' }, { 'x-instance-id': 'nginx' });
      }
      if (lie === 'starts over in mid-sale' && isFirst) void startOver(eventId);
      return lie === 'is busy once it is sold out' ? busy() : reply(409, { code: 'sold_out' });
    }
  }

  /** True the first time only. */
  function once(what: string): boolean {
    const isFirst = !seen.has(what);
    seen.add(what);
    return isFirst;
  }

  async function createEvent(name: string, capacity: number): Promise<number> {
    const pool = poolOf('replica-1');
    const { rows } = await pool.query<{ id: number }>('insert into events (name) values ($1) returning id', [
      name,
    ]);
    const id = rows[0]!.id;
    await pool.query('insert into inventory (event_id, capacity, available) values ($1, $2, $2)', [
      id,
      capacity,
    ]);
    return id;
  }

  async function sellToAnother(booking: BookingView): Promise<void> {
    const other = { ...booking, bookingId: randomUUID(), customer: 'run-0badcafe-buyer-000001' };
    await insertRow(other, await takeTickets(other, 0));
  }

  async function startOver(eventId: number): Promise<void> {
    await poolOf('replica-1').query(
      'update inventory set available = capacity, epoch = epoch + 1 where event_id = $1',
      [eventId],
    );
  }

  /** The stock revision, or null if there are not enough. */
  async function takeTickets(
    { eventId, quantity, instanceId }: BookingView,
    leaveOver: number,
  ): Promise<number | null> {
    const { rows } = await poolOf(instanceId).query<{ version: string }>(
      `update inventory set available = available - $2, version = version + 1
        where event_id = $1 and available >= $2::int + $3::int returning version`,
      [eventId, quantity, leaveOver],
    );
    return rows[0] ? Number(rows[0].version) : null;
  }

  async function findByRequest(requestId: string): Promise<string | null> {
    const { rows } = await poolOf('replica-1').query<{ id: string }>(
      'select id from bookings where request_id = $1',
      [requestId],
    );
    return rows[0]?.id ?? null;
  }

  async function insertRow(
    booking: BookingView,
    revision: number | null,
    requestId: string | null = null,
  ): Promise<void> {
    const { bookingId, eventId, quantity, customer, strategy, fencingToken } = booking;
    const instanceId = booking.instanceId === 'replica-9' ? 'replica-1' : booking.instanceId;
    await poolOf(instanceId).query(
      `insert into bookings (id, event_id, epoch, quantity, customer, strategy, instance_id, fencing_token,
                             stock_revision, request_id)
       values ($1, $2, 1, $3, $4, $5, $6, $7, $8, $9)`,
      [bookingId, eventId, quantity, customer, strategy, instanceId, fencingToken, revision, requestId],
    );
  }

  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      process.stderr.write(`the lying API failed by mistake: ${String(error)}\n`);
      response.destroy();
    });
  });
  server.listen(0, '127.0.0.1');
  await event(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await event(server, 'close');
      for (const timer of timers) clearTimeout(timer);
      await Promise.all([...pools.values()].map(async (pool) => pool.end()));
    },
  };
}

function replicasOf(lie: Lie): string[] {
  if (lie === 'leaves a replica out') return ['replica-1', 'replica-2', 'replica-3'];
  if (lie === 'loses a replica in mid-sale') return ['lasting', 'dying'];
  // The names of its own: other cases of the suite are connected to the same Postgres under the usual ones.
  return lie === 'is one process' ? ['twin-1', 'twin-2'] : ['replica-1', 'replica-2'];
}

function strategyOf(path: string): StrategyName {
  if (path.startsWith('/book-no-lock')) return 'no-lock';
  return path.startsWith('/book-with-lock') ? 'fenced-lock' : 'simple-lock';
}

async function readBody(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request) body += String(chunk);
  return body;
}
