import type { EventEmitter } from 'node:events';

import { Redis } from 'ioredis';
import lowestIoredis from 'ioredis-lowest';
import { Redis as Iovalkey } from 'iovalkey';
import { createClient } from 'redis';
import { createClient as createLowestClient } from 'redis-lowest';

import type { RedisClient } from '#src/client/choose-adapter.ts';

/** A client as a program makes it, with a library that the locks can use. */
export interface OpenClient {
  readonly client: RedisClient & EventEmitter;
  disconnect(): void;
}

/** Connects to one server. */
export type ClientLibrary = (url: string) => OpenClient;

/** By their names on npm, and the oldest versions that the locks work with. */
export const clientLibraries = {
  ioredis: ioredisWay(Redis),
  'ioredis 5.0.0': ioredisWay(lowestIoredis.default),
  iovalkey: ioredisWay(Iovalkey),
  redis: nodeRedisWay(createClient),
  'redis 5.0.0': nodeRedisWay(createLowestClient),
} satisfies Record<string, ClientLibrary>;

// What goes wrong with a connection is what these tests are about; the libraries would print it, or throw it.
const ignore = (): void => undefined;

/** At once, and not rarer than five times a second: no test should wait for a reconnection. */
function reconnectDelayMs(attempt: number): number {
  return Math.min(20 * attempt, 200);
}

interface Disconnecting extends EventEmitter {
  disconnect(): void;
}

function ioredisWay<C extends Disconnecting & RedisClient>(
  Library: new (url: string, options: { retryStrategy: (attempt: number) => number }) => C,
): ClientLibrary {
  return (url) => {
    const client = new Library(url, { retryStrategy: reconnectDelayMs });
    client.on('error', ignore);
    return { client, disconnect: () => client.disconnect() };
  };
}

interface NodeRedisOptions {
  url: string;
  socket: { reconnectStrategy: (attempt: number) => number };
}

function optionsOf(url: string): NodeRedisOptions {
  return { url, socket: { reconnectStrategy: reconnectDelayMs } };
}

interface Destroyable<C> extends EventEmitter {
  readonly isOpen: boolean;
  connect(): Promise<unknown>;
  duplicate(options: NodeRedisOptions): C;
  destroy(): void;
}

function nodeRedisWay<C extends Destroyable<C> & RedisClient>(
  create: (options: NodeRedisOptions) => C,
): ClientLibrary {
  // For another URL `create` makes a class of its own first, with all commands in it: up to a tenth of a second each time.
  let first: C | undefined;
  return (url) => {
    first ??= create(optionsOf(url));
    const client = first.duplicate(optionsOf(url));
    client.on('error', ignore);
    client.connect().catch(ignore);
    return {
      client,
      disconnect() {
        if (client.isOpen) client.destroy();
      },
    };
  };
}
