import { RefusedError, ServiceClosedError } from '../../services/locking/src/client/errors.ts';
import type { ClientPort, Connection, LinkEvent } from '../../services/locking/src/client/port.ts';
import { loadScript } from '../../services/locking/src/client/script.ts';
import type { Told } from '../../services/locking/src/memory/queue-steps.ts';
import type { HandedOver, QueueMessages, QueueStore } from '../../services/locking/src/queue/store.ts';
import type { Network, Wire } from '../world/network.ts';
import type { Process, Scheduler } from '../world/scheduler.ts';
import type { Redis, RedisServer } from './redis.ts';

/** How one process reaches Redis: connections that are made anew after they break, to whatever is the primary by then. */
export interface RedisLinks {
  /** The store of a queue lock, with a connection and a subscription of its own. */
  openStore(client: string, commandTimeoutMs: number, messages: QueueMessages): QueueStore;
  /** The client of a simple lock. */
  readonly port: ClientPort;
  /** All of them break. */
  cut(): void;
  /** Only subscriptions: what is told meanwhile is lost. */
  deafen(): void;
  fallSilent(): void;
}

interface Link {
  readonly isReady: boolean;
  call<T>(ask: (server: RedisServer) => T, resolve: (reply: T) => void, reject: (error: Error) => void): void;
  cut(): void;
  fallSilent(): void;
  end(): void;
}

/** A client that gets no answer makes its connection anew; so does one that was closed, a little later each time. */
const RECONNECT_MS = 50;
const SILENT_FOR_MS = 1_500;

export function connectRedis(
  scheduler: Scheduler,
  network: Network,
  redis: Redis,
  owner: Process,
): RedisLinks {
  const commands = new Set<Link>();
  const subscriptions = new Set<Link>();

  function connect(
    kind: 'command' | 'subscription',
    onReady: (wire: Wire, server: RedisServer) => void,
    onGone?: () => void,
  ): Link {
    let wire: Wire | undefined;
    let server = redis.primary;
    let isEnded = false;
    let underWay = new Set<(error: Error) => void>();

    function open(): void {
      if (isEnded) return;
      server = redis.primary;
      const at = server;
      wire = network({
        client: owner,
        server: at.process,
        ...(onGone && { onGone }),
        onCut() {
          wire = undefined;
          const lost = underWay;
          underWay = new Set();
          for (const reject of lost) reject(new Error('connection closed'));
          scheduler.in(RECONNECT_MS * (0.5 + scheduler.random()), owner, open);
        },
      });
      onReady(wire, at);
    }

    const link: Link = {
      get isReady() {
        return wire?.isOpen === true;
      },
      call(ask, resolve, reject) {
        const at = server;
        const over = wire;
        if (over === undefined) {
          reject(new Error('not connected'));
          return;
        }
        underWay.add(reject);
        over.send(() => {
          let settle: () => void;
          try {
            const reply = ask(at);
            settle = () => resolve(reply);
          } catch (error) {
            settle = () => reject(new RefusedError(String(error)));
          }
          over.answer(() => {
            if (underWay.delete(reject)) settle();
          });
        });
      },
      cut: () => wire?.cut(),
      fallSilent() {
        const silent = wire;
        silent?.fallSilent();
        scheduler.in(SILENT_FOR_MS, owner, () => silent?.cut());
      },
      end() {
        isEnded = true;
        wire?.cut();
      },
    };
    (kind === 'command' ? commands : subscriptions).add(link);
    scheduler.in(0.5, owner, open);
    return link;
  }

  function openStore(client: string, commandTimeoutMs: number, messages: QueueMessages): QueueStore {
    let command: Link | undefined;
    let subscription: Link | undefined;
    let isListening = false;
    let unsubscribe: (() => void) | undefined;
    let isClosed = false;

    function hear(wire: Wire, server: RedisServer): void {
      isListening = false;
      wire.send(() => {
        const deliver = (what: Told, number: number, name: string, grant: HandedOver) =>
          wire.answer(() => messages[what](name, number, grant));
        unsubscribe = server.subscribe(client, deliver);
        wire.answer(() => {
          isListening = true;
          messages.listening();
        });
      });
    }

    function call<T>(ask: (server: RedisServer) => T): Promise<T> {
      const { promise, resolve, reject } = Promise.withResolvers<T>();
      if (isClosed || command === undefined) {
        reject(new ServiceClosedError());
        return promise;
      }
      const timeout = scheduler.in(commandTimeoutMs, owner, () => reject(new Error('no reply in time')));
      command.call(
        ask,
        (reply) => {
          scheduler.cancel(timeout);
          resolve(reply);
        },
        (error) => {
          scheduler.cancel(timeout);
          reject(error);
        },
      );
      return promise;
    }

    return {
      client,
      get listening() {
        return isListening && subscription?.isReady === true;
      },
      acquire: (name, request) => call(({ steps }) => steps.acquire(name, request)),
      extend: (name, request) => call(({ steps }) => steps.extend(name, request)),
      yield: (name, request) => call(({ steps }) => steps.yield(name, request)),
      release: (name, request) => call(({ steps }) => steps.release(name, request)),
      poll: (name, id) => call(({ steps }) => steps.poll(name, id, client)),
      steal: (name, request) => call(({ steps }) => steps.steal(name, request)),
      inspect: (name) => call(({ steps }) => steps.inspect(name)),
      heldNames: () => call(({ steps }) => steps.heldNames()),
      open() {
        if (command !== undefined) return;
        command = connect('command', () => messages.reachable());
        subscription = connect('subscription', hear, () => unsubscribe?.());
      },
      async close() {
        isClosed = true;
        command?.end();
        subscription?.end();
      },
    };
  }

  return {
    openStore,
    port: simplePort(connect),
    cut() {
      for (const link of [...commands, ...subscriptions]) link.cut();
    },
    deafen() {
      for (const link of subscriptions) link.cut();
    },
    fallSilent() {
      for (const link of [...commands, ...subscriptions]) link.fallSilent();
    },
  };
}

const SCRIPTS = new Map(
  (['simple-acquire', 'extend', 'release'] as const).map((name) => [loadScript(name).sha1, name]),
);

async function notModelled(): Promise<never> {
  throw new Error('the model of Redis does not know this command');
}

function simplePort(connect: (kind: 'command', onReady: () => void) => Link): ClientPort {
  let opened: Link | undefined;
  const listeners = new Set<[LinkEvent, () => void]>();
  const connection: Connection = {
    link: {
      get state() {
        if (opened === undefined) return 'idle';
        return opened.isReady ? 'ready' : 'broken';
      },
      closes: 0,
      open() {
        opened ??= connect('command', () => {
          for (const [event, listener] of listeners) if (event === 'ready') listener();
        });
      },
      reconnect: () => opened?.cut(),
      close: () => opened?.end(),
      on(event, listener) {
        const entry: [LinkEvent, () => void] = [event, listener];
        listeners.add(entry);
        return () => listeners.delete(entry);
      },
    },
    keyPrefix: '',
    resends: false,
    queues: false,
    evalsha(sha1, keys, args) {
      connection.link.open();
      const { promise, resolve, reject } = Promise.withResolvers<unknown>();
      const script = SCRIPTS.get(sha1);
      opened?.call(
        ({ simple }) => {
          if (script === 'simple-acquire') return simple.acquire(keys, args);
          if (script === 'extend') return simple.extend(keys, args);
          return simple.release(keys, args);
        },
        resolve,
        reject,
      );
      return promise;
    },
    eval: notModelled,
    hdel: notModelled,
    publish: notModelled,
    get: notModelled,
    type: notModelled,
    info: notModelled,
    configGet: notModelled,
    async *scan() {},
  };
  return {
    keyPrefix: '',
    isCluster: false,
    shared: connection,
    connect: () => connection,
    connectSubscriber: () => {
      throw new Error('a simple lock subscribes to nothing');
    },
    checkReplies: () => undefined,
  };
}
