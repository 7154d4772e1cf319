import { createConnection, type Socket } from 'node:net';

import { AbstractConnector, Redis, type RedisOptions } from 'ioredis';

/** What has gone over the sockets of a process. */
export interface Wire {
  /**
   * Writes to sockets of Redis, each of which is one round trip: a command that is sent by itself, or several that are
   * sent as one, by a pipeline or a corked socket.
   */
  writes: number;
}

/**
 * A client whose sockets are counted, and those of all its duplicates too: what a library opens for itself (a
 * subscription, a connection of its own) is made with the options of the client that it was given.
 */
export async function connectCounted(url: string, wire: Wire): Promise<Redis> {
  const { hostname, port } = new URL(url);
  const redis = new Redis({
    host: hostname,
    port: Number(port),
    Connector: countingConnector(wire),
    lazyConnect: true,
  });
  await redis.connect();
  return redis;
}

// ioredis's own default.
const disconnectTimeoutMs = 2_000;

/** What ioredis does by itself for a plain TCP connection, and one addition for each write. */
function countingConnector(wire: Wire) {
  return class CountingConnector extends AbstractConnector {
    readonly #options: RedisOptions;

    constructor(options: unknown) {
      super(disconnectTimeoutMs);
      this.#options = options as RedisOptions;
    }

    connect(): Promise<Socket> {
      this.connecting = true;
      const { host = '127.0.0.1', port = 6379 } = this.#options;
      const socket = createConnection({ host, port });
      // What goes out at once comes to one of these two at once.
      const { _write: write, _writev: writev } = socket;
      socket._write = (...args) => {
        wire.writes += 1;
        write.apply(socket, args);
      };
      socket._writev = (...args) => {
        wire.writes += 1;
        writev?.apply(socket, args);
      };
      socket.once('error', (error) => {
        this.firstError = error;
      });
      this.stream = socket;
      return Promise.resolve(socket);
    }
  };
}
