import { setTimeout as sleep } from 'node:timers/promises';

import type { Adapter, ClientPort, Connection, ConnectionSettings, Subscriber } from '../client/port.ts';
import { reconnectDelayMs, sharedConnection } from './connections.ts';
import { createLink, type AnyClient, type Kind, type Life, type Source } from './node-redis-link.ts';

/** What `createClient` or `createCluster` of redis 5 or newer makes: as much of it as tells it from other clients. */
export interface NodeRedisClient {
  readonly isOpen: boolean;
  duplicate(...args: never[]): unknown;
  sendCommand(...args: never[]): unknown;
}

// What is used of it. (With the types of the library, that would have to be installed wherever this package is.)

interface Client extends AnyClient {
  readonly isReady: boolean;
  readonly isPubSubActive: boolean;
  readonly options?: Options;
  duplicate(overrides: Options): Client;
  sendCommand(command: readonly string[], options: object): Promise<unknown>;
}

interface Cluster extends AnyClient {
  readonly masters: readonly Node[];
  readonly pubSubNode?: Node;
  duplicate(overrides: Options): Cluster;
  nodeClient(node: Node): Client | Promise<Client>;
  sendCommand(key: string, isReadonly: false, command: readonly string[], options: object): Promise<unknown>;
}

interface Node {
  /** Undefined: nothing was sent to it yet. */
  readonly client?: Client;
}

interface Options {
  readonly keyPrefix?: unknown;
  readonly socket?: object;
  readonly [option: string]: unknown;
}

export const nodeRedisAdapter: Adapter = {
  library: 'redis',
  recognises(client) {
    const { isOpen, sendCommand } = (client ?? {}) as Partial<NodeRedisClient>;
    return typeof isOpen === 'boolean' && typeof sendCommand === 'function';
  },
  open(client) {
    if (Array.isArray((client as Partial<Cluster>).masters)) return openCluster(client as Cluster);
    if (typeof (client as Partial<Client>).isPubSubActive === 'boolean') return openClient(client as Client);
    throw new TypeError(
      'A lock takes what createClient or createCluster of redis makes. For Sentinel give it a client of ioredis: that of redis sends commands again when perhaps nobody waits for them any more.',
    );
  },
};

function openClient(client: Client): ClientPort {
  const { keyPrefix: given } = client.options ?? {};
  const keyPrefix = typeof given === 'string' ? given : '';
  const own = ({ name, replyTimeoutMs }: ConnectionSettings) =>
    createLink(clientKind, { make: (life) => duplicateOf(client, name, life), replyTimeoutMs });
  return {
    keyPrefix,
    isCluster: false,
    get shared() {
      return sharedConnection(client, () =>
        createConnection(createLink(clientKind, client), oneServer, keyPrefix),
      );
    },
    connect: (settings) => createConnection(own(settings), oneServer, ''),
    connectSubscriber: (settings, onMessage) => createSubscriber(own(settings), onMessage),
    // Each reply is asked for as Redis sends it.
    checkReplies: () => undefined,
  };
}

function openCluster(cluster: Cluster): ClientPort {
  // Nodes are connected to when they are needed: waiting for all of them would take as long as one of them is down.
  const own = ({ replyTimeoutMs }: ConnectionSettings) =>
    createLink(clusterKind, { make: () => duplicateOfCluster(cluster), replyTimeoutMs });
  return {
    // (A cluster does not tell its prefix, and puts none before the keys of a command that is sent as a whole.)
    keyPrefix: '',
    isCluster: true,
    get shared() {
      return sharedConnection(cluster, () =>
        createConnection(createLink(clusterKind, cluster), manyServers, ''),
      );
    },
    connect: (settings) => createConnection(own(settings), manyServers, ''),
    connectSubscriber: (settings, onMessage) => createSubscriber(own(settings), onMessage),
    checkReplies: () => undefined,
  };
}

const clientKind: Kind<Client> = {
  isReady: (client) => client.isReady,
  // It sees to its connection itself, and tells of it.
  tells: true,
  isBroken: () => false,
};

const clusterKind: Kind<Cluster> = {
  isReady: () => true,
  tells: false,
  isBroken: ({ masters, pubSubNode }) =>
    [...masters, pubSubNode].some((node) => node?.client !== undefined && !node.client.isReady),
};

/** A client of our own: nothing is kept for later, and no option of the program's changes what is sent or answered. */
function duplicateOf(client: Client, name: string, life: Life): Client {
  const { options } = client;
  return client.duplicate({
    // Its own name takes a right more, in some versions, which a program that has named its client has.
    ...(options?.['name'] !== undefined && { name }),
    disableOfflineQueue: true,
    commandsQueueMaxLength: undefined,
    commandOptions: undefined,
    clientSideCache: undefined,
    emitInvalidate: false,
    keyPrefix: undefined,
    pingInterval: undefined,
    readonly: false,
    socket: {
      ...options?.socket,
      reconnectStrategy: (attempt: number) => !life.over && reconnectDelayMs(attempt),
    },
  });
}

function duplicateOfCluster(cluster: Cluster): Cluster {
  return cluster.duplicate({ minimizeConnections: true, commandOptions: undefined });
}

/** Sends a command, to the server that has that key or to any. */
type Send = (command: readonly string[], key?: string) => Promise<unknown>;

/** How the servers behind a client are reached. */
interface Servers<C> {
  readonly send: (client: C, command: readonly string[], key?: string) => Promise<unknown>;
  /** One way to each that has keys of its own. */
  readonly each: (client: C) => Promise<Send[]>;
}

/** Replies as Redis sends them, and no time-out but ours. */
const asSent = { typeMapping: {}, timeout: undefined };

const oneServer: Servers<Client> = {
  send: (client, command) => client.sendCommand(command, asSent),
  each: async (client) => [(command) => client.sendCommand(command, asSent)],
};

const manyServers: Servers<Cluster> = {
  async send(cluster, command, key) {
    if (key !== undefined) return sendToSlot(cluster, command, key);
    const [any] = await manyServers.each(cluster);
    if (any === undefined) throw new Error('no node of the cluster is known yet');
    return any(command);
  },
  async each(cluster) {
    const nodes = await Promise.all(cluster.masters.map(async (node) => cluster.nodeClient(node)));
    return nodes.map((node) => (command) => node.sendCommand(command, asSent));
  },
};

/** For less than the time-out of a call: nothing should be sent when nobody waits for it any more. */
const [tries, pauseMs] = [8, 100];

/** While a slot is on its way to another node, neither of the two can run a script that needs several keys. */
async function sendToSlot(cluster: Cluster, command: readonly string[], key: string): Promise<unknown> {
  for (let left = tries; ; left -= 1) {
    try {
      return await cluster.sendCommand(key, false, command, asSent);
    } catch (error) {
      if (left === 0 || !(error instanceof Error) || !error.message.startsWith('TRYAGAIN')) throw error;
      await sleep(pauseMs);
    }
  }
}

function createConnection<C>(source: Source<C>, servers: Servers<C>, keyPrefix: string): Connection {
  const { link } = source;
  const send: Send = (command, key) => servers.send(source.client(), command, key);
  const toKey = (command: string, key: string, ...args: readonly string[]) =>
    send([command, keyPrefix + key, ...args], keyPrefix + key);
  const script = (command: string, body: string, keys: readonly string[], args: readonly string[]) => {
    const prefixed = keys.map((key) => keyPrefix + key);
    return send([command, body, String(keys.length), ...prefixed, ...args], prefixed[0]);
  };
  return {
    link,
    keyPrefix,
    resends: false,
    queues: false,
    evalsha: (sha1, keys, args) => script('EVALSHA', sha1, keys, args),
    eval: (text, keys, args) => script('EVAL', text, keys, args),
    hdel: (key, field) => toKey('HDEL', key, field) as Promise<number>,
    publish: (channel, message) => send(['PUBLISH', channel, message]) as Promise<number>,
    get: (key) => toKey('GET', key) as Promise<string | null>,
    type: (key) => toKey('TYPE', key) as Promise<string>,
    info: () => send(['INFO']) as Promise<string>,
    configGet: (parameter) => send(['CONFIG', 'GET', parameter]),
    async *scan(pattern, count) {
      for (const server of await servers.each(source.client())) {
        let cursor = '0';
        do {
          const page = await server(['SCAN', cursor, 'MATCH', pattern, 'COUNT', String(count)]);
          const [next, keys] = page as [string, string[]];
          yield keys;
          cursor = next;
        } while (cursor !== '0');
      }
    },
  };
}

/** (After a reconnection the library has subscribed again by itself before it is ready, and then this does nothing.) */
function createSubscriber<C extends AnyClient>(
  { client, link }: Source<C>,
  onMessage: (message: string) => void,
): Subscriber {
  return { link, subscribe: (channel) => client().subscribe(channel, onMessage) };
}
