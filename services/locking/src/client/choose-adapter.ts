import { ioredisAdapter, type IoredisClient } from '../adapters/ioredis.ts';
import { nodeRedisAdapter, type NodeRedisClient } from '../adapters/node-redis.ts';
import type { Adapter, ClientPort } from './port.ts';

/** A client of one of the libraries that the locks can use. */
export type RedisClient = IoredisClient | NodeRedisClient;

const adapters: readonly Adapter[] = [ioredisAdapter, nodeRedisAdapter];

/** @throws TypeError not a client that is known here, or one that cannot be used for locks */
export function openClient(client: RedisClient): ClientPort {
  const adapter = adapters.find((one) => one.recognises(client));
  if (adapter !== undefined) return adapter.open(client);
  const libraries = adapters.map(({ library }) => library).join(', ');
  throw new TypeError(`A lock needs a client of one of these libraries as its first argument: ${libraries}.`);
}
