import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

import { readBackend, readFrontend } from './postgres-messages.ts';
import { readCommands } from './redis-commands.ts';

/** Stands between a replica and a server, hands everything on as it comes, and counts. */
export interface CountingProxy extends AsyncDisposable {
  /** The server's address, through the proxy. */
  url: string;
  counts: Counts;
}

export interface Counts {
  /** To Postgres: statements executed. To Redis: commands. */
  requests: number;
  /** Times that a client sent something and had to wait for the answer to all of it. */
  roundTrips: number;
}

type Watch = (counts: Counts) => { request: (chunk: Buffer) => void; reply: (chunk: Buffer) => void };

const postgres: Watch = (counts) => ({
  // A simple query, or the execution of a prepared one.
  request: readFrontend((type) => {
    if (type === 'Q' || type === 'E') counts.requests += 1;
  }),
  // "Ready for query" ends the answer to everything that was sent up to a Sync.
  reply: readBackend((type) => {
    if (type === 'Z') counts.roundTrips += 1;
  }),
});

const redis: Watch = (counts) => {
  const read = readCommands(() => (counts.requests += 1));
  return {
    // Redis does not say where an answer to several commands ends. What was written together arrives together, and
    // is waited for together.
    request: (chunk) => {
      const before = counts.requests;
      read(chunk);
      if (counts.requests > before) counts.roundTrips += 1;
    },
    reply: () => {},
  };
};

export function countPostgres(url: string): Promise<CountingProxy> {
  return startProxy(url, postgres);
}

export function countRedis(url: string): Promise<CountingProxy> {
  return startProxy(url, redis);
}

async function startProxy(target: string, watch: Watch): Promise<CountingProxy> {
  const { hostname, port } = new URL(target);
  const counts: Counts = { requests: 0, roundTrips: 0 };
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ host: hostname, port: Number(port), noDelay: true });
    const { request, reply } = watch(counts);
    client.on('data', request).pipe(upstream);
    upstream.on('data', reply).pipe(client);
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => {}); // the other side is told by being closed
      socket.once('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  const through = new URL(target);
  through.hostname = '127.0.0.1';
  through.port = String((server.address() as AddressInfo).port);
  return {
    url: through.href,
    counts,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
