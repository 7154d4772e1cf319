import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import type { BookingBody, BookingView } from '@lastseat/booking/contract';
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
  | 'is busy for ever';

export async function startLyingApi(postgresUrl: string, lie: Lie): Promise<LyingApi> {
  const pool = new Pool({ connectionString: postgresUrl, max: 4 });
  const seen = new Set<string>();
  let requests = 0;
  let earlier: BookingView | undefined;

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    requests += 1;
    const instanceId = lie === 'is one instance' ? 'replica-1' : `replica-${(requests % 2) + 1}`;
    const reply = (status: number, body: object, headers: Record<string, string> = {}): void => {
      response.writeHead(status, {
        'content-type': 'application/json',
        'x-instance-id': instanceId,
        ...headers,
      });
      response.end(JSON.stringify({ instanceId, ...body }));
    };
    const busy = (): void => reply(503, { code: 'busy' }, { 'retry-after': '0' });
    const body = JSON.parse(await readBody(request)) as BookingBody & { name: string; capacity: number };
    const path = request.url ?? '';
    if (path === '/events') return reply(201, { id: await createEvent(body.name, body.capacity) });

    const { customer = '', quantity = 1 } = body;
    const eventId = Number(path.split('/').at(-1));
    const strategy = path.startsWith('/book-no-lock') ? 'no-lock' : 'simple-lock';
    const booking: BookingView = {
      bookingId: randomUUID(),
      eventId,
      customer,
      quantity,
      strategy,
      instanceId: lie === 'signs with another name' ? 'replica-9' : instanceId,
      fencingToken: null,
    };

    if (lie === 'hangs') return;
    if (lie === 'answers 500') return reply(500, { code: 'internal' });
    if (lie === 'is busy for ever') return busy();
    // The buyer, whichever attempt this is.
    const buyer = customer.slice(0, 'buyer-000000'.length);
    if (lie === 'is busy at first' && !seen.has(buyer)) {
      seen.add(buyer);
      return busy();
    }
    if (lie === 'answers 201 without writing') return reply(201, booking);

    const left = lie === 'keeps the last ticket' ? 1 : 0;
    if (!(await takeTicket(booking, left)) && lie !== 'oversells') return reply(409, { code: 'sold_out' });
    await insertRow(booking, instanceId);
    if (lie === 'writes two rows for one request') {
      await insertRow({ ...booking, bookingId: randomUUID() }, instanceId);
    }
    if (lie === 'writes and drops the reply') {
      response.socket?.destroy();
      return;
    }
    if (lie === 'says busy and books') return busy();
    if (lie === 'gives one booking to two buyers') booking.bookingId = (earlier ??= booking).bookingId;
    reply(201, booking);
  }

  async function createEvent(name: string, capacity: number): Promise<number> {
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

  async function takeTicket({ eventId, quantity }: BookingView, leaveOver: number): Promise<boolean> {
    const { rowCount } = await pool.query(
      'update inventory set available = available - $2 where event_id = $1 and available >= $2::int + $3::int',
      [eventId, quantity, leaveOver],
    );
    return rowCount === 1;
  }

  async function insertRow(booking: BookingView, instanceId: string): Promise<void> {
    const { bookingId, eventId, quantity, customer, strategy } = booking;
    await pool.query(
      `insert into bookings (id, event_id, epoch, quantity, customer, strategy, instance_id)
       values ($1, $2, 1, $3, $4, $5, $6)`,
      [bookingId, eventId, quantity, customer, strategy, instanceId],
    );
  }

  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      process.stderr.write(`the lying API failed by mistake: ${String(error)}\n`);
      response.destroy();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
      await pool.end();
    },
  };
}

async function readBody(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request) body += String(chunk);
  return body;
}
