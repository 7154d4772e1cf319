import type { Cluster, Redis } from 'ioredis';

import type {
  Adapter,
  ClientPort,
  Connection,
  ConnectionSettings,
  ConnectionState,
  Link,
} from '../client/port.ts';
import {
  createLinkListeners,
  handshakeTimeoutMs,
  reconnectDelayMs,
  sharedConnection,
} from './connections.ts';

/**
 * A `Redis` or a `Cluster` of ioredis 5 or 6, or of iovalkey, which is a fork of it: as much of it as tells it from other
 * clients.
 */
export interface IoredisClient {
  readonly status: string;
  readonly isCluster: boolean;
  readonly options: object;
  duplicate(...args: never[]): unknown;
  evalsha(...args: never[]): unknown;
}

type Client = Redis | Cluster;

export const ioredisAdapter: Adapter = {
  library: 'ioredis (or iovalkey)',
  recognises(client) {
    const { status, isCluster, duplicate, evalsha } = (client ?? {}) as Partial<IoredisClient>;
    return (
      typeof status === 'string' &&
      typeof isCluster === 'boolean' &&
      typeof duplicate === 'function' &&
      typeof evalsha === 'function'
    );
  },
  open: (client) => openClient(client as Client),
};

function openClient(client: Client): ClientPort {
  return {
    keyPrefix: client.options.keyPrefix ?? '',
    isCluster: isCluster(client),
    shared: sharedConnection(client, () =>
      createConnection(createSource(client), client.options.keyPrefix ?? '', true),
    ),
    connect(settings) {
      const renewal = renewalOf(client, settings);
      return createConnection(createSource(renewal.duplicate(), renewal), '', false);
    },
    connectSubscriber(settings, onMessage) {
      const renewal = renewalOf(client, settings);
      const { client: current, link } = createSource(renewal.duplicate(), renewal, onMessage);
      return { link, subscribe: (channel) => current().subscribe(channel) };
    },
    checkReplies() {
      const options = isCluster(client) ? client.options.redisOptions : client.options;
      if (options?.stringNumbers !== true) return;
      throw new TypeError(
        'stringNumbers of the Redis client turns the numbers that this lock reads into strings: give it a client without that option.',
      );
    },
  };
}

function isCluster(client: Client): client is Cluster {
  return client.isCluster;
}

function renewalOf(client: Client, { name, replyTimeoutMs }: ConnectionSettings): Renewal {
  return { duplicate: () => duplicateOf(client, name), replyTimeoutMs };
}

/** The sentinels are asked before each connection, and one of them that is silent is passed over. */
const SENTINEL_REPLY_MS = 2_000;

/**
 * A client of our own to the same Redis, without the options that would keep a command for later, send it twice, or change
 * its reply.
 */
function duplicateOf(client: Client, name: string): Client {
  const common = {
    keyPrefix: '',
    lazyConnect: true,
    enableOfflineQueue: false,
    enableAutoPipelining: false,
  };
  const replies = {
    // Whoever reads the reply decides that.
    reconnectOnError: null,
    // Each call has a time-out of its own. (A subscription that ioredis gives up would not be tried again.)
    commandTimeout: undefined,
    stringNumbers: false,
  };
  const own = isCluster(client)
    ? client.duplicate([], { ...common, clusterRetryStrategy: reconnectDelayMs, redisOptions: replies })
    : client.duplicate({
        ...common,
        ...replies,
        connectionName: name,
        autoResendUnfulfilledCommands: false,
        autoResubscribe: false,
        monitor: false,
        retryStrategy: reconnectDelayMs,
        sentinelCommandTimeout: client.options.sentinelCommandTimeout ?? SENTINEL_REPLY_MS,
      });
  // Without a listener ioredis would print each failed attempt to connect; the calls say what is wrong.
  own.on('error', () => undefined);
  return own;
}

/** Without it ioredis would wait for the handshake until TCP gives up, which may be never. */
function boundHandshake(client: Client, replyTimeoutMs: number, giveUp: () => void): void {
  let timer: NodeJS.Timeout | undefined;
  client.on('connect', () => {
    timer = setTimeout(giveUp, handshakeTimeoutMs(replyTimeoutMs)).unref();
  });
  for (const settled of ['ready', 'close', 'end']) client.on(settled, () => clearTimeout(timer));
}

/**
 * A client of the program, or one of our own: then `renew` makes another one, for when it does not answer. (ioredis would
 * wait two seconds for a silent server to close the old connection before it connects anew.)
 */
interface Source {
  readonly client: () => Client;
  readonly link: Link;
}

interface Renewal {
  readonly duplicate: () => Client;
  readonly replyTimeoutMs: number;
}

function createSource(first: Client, renew?: Renewal, onMessage?: (message: string) => void): Source {
  const { on, tell } = createLinkListeners();
  let client = first;
  let closes = 0;
  let isClosed = false;
  let endings = 0;

  /** ioredis gives up for good where it is told of a failover at the moment in which it asks for the primary. */
  function comeBack(): void {
    endings += 1;
    setTimeout(() => {
      if (!isClosed && client.status === 'end') link.reconnect();
    }, reconnectDelayMs(endings)).unref();
  }

  function listenTo(one: Client): void {
    const onClose = () => {
      if (one === client) closes += 1;
    };
    one.on('close', onClose);
    if (isCluster(one)) {
      // A cluster has a connection to each node, and sends again what was lost there.
      for (const node of one.nodes()) node.on('close', onClose);
      one.on('+node', (node: Redis) => node.on('close', onClose));
    }
    for (const event of ['ready', 'close'] as const) {
      one.on(event, () => {
        if (one === client) tell(event);
      });
    }
    if (renew !== undefined) {
      one.on('ready', () => (endings = 0));
      one.on('end', () => {
        if (one === client && !isClosed) comeBack();
      });
    }
    if (onMessage !== undefined) {
      one.on('message', (_channel: string, message: string) => {
        if (one === client) onMessage(message);
      });
    }
    if (renew !== undefined && !isCluster(one)) {
      boundHandshake(one, renew.replyTimeoutMs, () => {
        if (one === client) link.reconnect();
      });
    }
  }

  const link: Link = {
    get state() {
      const isEnded = client.status === 'end' && (isClosed || renew === undefined || isCluster(client));
      return isEnded ? 'ended' : stateOf(client.status, closes);
    },
    get closes() {
      return closes;
    },
    open() {
      // Failed attempts are repeated by the client itself.
      if (client.status === 'wait') client.connect().catch(() => undefined);
    },
    reconnect() {
      if (renew === undefined || isCluster(client)) return;
      const silent = client;
      client = renew.duplicate();
      listenTo(client);
      silent.disconnect();
      closes += 1;
      tell('close');
      link.open();
    },
    close() {
      isClosed = true;
      if (renew !== undefined) client.disconnect();
    },
    on,
  };
  listenTo(first);
  return { client: () => client, link };
}

function stateOf(status: string, closes: number): ConnectionState {
  if (status === 'ready') return 'ready';
  if (closes > 0 || status === 'end') return 'broken';
  return status === 'wait' ? 'idle' : 'opening';
}

function createConnection({ client, link }: Source, keyPrefix: string, isShared: boolean): Connection {
  return {
    link,
    keyPrefix,
    resends: isShared || isCluster(client()),
    queues: isShared,
    evalsha: (sha1, keys, args) => client().evalsha(sha1, keys.length, ...keys, ...args),
    eval: (script, keys, args) => client().eval(script, keys.length, ...keys, ...args),
    hdel: (key, field) => client().hdel(key, field),
    publish: (channel, message) => client().publish(channel, message),
    get: (key) => client().get(key),
    type: (key) => client().type(key),
    info: () => client().info(),
    configGet: (parameter) => client().config('GET', parameter),
    async *scan(pattern, count) {
      const own = client();
      for (const server of isCluster(own) ? own.nodes('master') : [own]) {
        let cursor = '0';
        do {
          const page: [string, string[]] = await server.scan(cursor, 'MATCH', pattern, 'COUNT', count);
          yield page[1];
          cursor = page[0];
        } while (cursor !== '0');
      }
    },
  };
}
