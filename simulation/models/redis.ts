import type { Keys } from '../../services/locking/src/memory/keys.ts';
import {
  createQueueSteps,
  type QueueSteps,
  type Told,
} from '../../services/locking/src/memory/queue-steps.ts';
import type { HandedOver } from '../../services/locking/src/queue/store.ts';
import type { Process, Scheduler } from '../world/scheduler.ts';

/**
 * Redis as far as the locks need it: the scripts of the queue lock (services/locking/src/memory) and of the simple lock, a
 * clock, and who is subscribed. A failover puts another server in its place that has what an asynchronous replica had got
 * by then; who has not heard of it yet still asks the old one.
 */
export interface Redis {
  /** That new connections lead to. */
  readonly primary: RedisServer;
  /** Remembers what the replica has got so far. */
  replicate(): void;
  /** Its clock differs by so much from that of the old primary. */
  failOver(clockMs: number): void;
  flush(): void;
}

export interface RedisServer {
  readonly process: Process;
  readonly steps: QueueSteps;
  readonly simple: SimpleSteps;
  /** @returns ends it, unless the client has subscribed anew since */
  subscribe(client: string, deliver: Deliver): () => void;
}

export type Deliver = (what: Told, number: number, name: string, grant: HandedOver) => void;

export interface QueueSettings {
  staleMs: number;
  queueMemoryMs: number;
  tokenMemoryMs: number;
}

interface Data {
  names: Map<string, Keys>;
  values: Map<string, Value>;
}

export interface Value {
  value: string;
  untilMs: number;
}

/** Of Redis's clock: some day. */
const EPOCH_MS = 1_700_000_000_000;

export function createRedis(
  scheduler: Scheduler,
  settings: QueueSettings,
  minted: (name: string, token: number) => void,
): Redis {
  const everybody: Map<string, Deliver>[] = [];
  let servers = 0;
  let clockMs = 0;
  let replicated: Data = { names: new Map(), values: new Map() };
  let data: Data = { names: new Map(), values: new Map() };
  let primary = newServer(data);

  function newServer(data: Data): RedisServer {
    servers += 1;
    const process = scheduler.newProcess(servers === 1 ? 'redis' : `redis-${servers}`);
    const offsetMs = clockMs;
    const nowUs = () => Math.floor((EPOCH_MS + scheduler.nowMs() + offsetMs) * 1_000);
    const listeners = new Map<string, Deliver>();
    everybody.push(listeners);
    return {
      process,
      steps: createQueueSteps(
        settings,
        nowUs,
        {
          isHeard: (client) => listeners.has(client),
          tell(client, what, number, name, grant) {
            // Those who still listen to an old primary, a replica now, are told too, and are not known here.
            for (const known of everybody) known.get(client)?.(what, number, name, grant);
          },
        },
        (name, token, id) => {
          scheduler.tell(() => `${process.name} gives ${name} to ${id}, token ${token}`);
          minted(name, token);
        },
        data.names,
      ),
      simple: createSimpleSteps(data.values, nowUs),
      subscribe(client, deliver) {
        listeners.set(client, deliver);
        return () => {
          if (listeners.get(client) === deliver) listeners.delete(client);
        };
      },
    };
  }

  return {
    get primary() {
      return primary;
    },
    replicate() {
      replicated = copyOf(data);
    },
    failOver(byMs) {
      clockMs += byMs;
      data = replicated;
      primary = newServer(data);
      scheduler.tell(
        () =>
          `${primary.process.name} is the primary from now on; its clock is ${byMs} ms from that of the old one`,
      );
    },
    flush() {
      scheduler.tell(() => 'redis loses its data');
      data.names.clear();
      data.values.clear();
    },
  };
}

function copyOf({ names, values }: Data): Data {
  return {
    names: new Map(
      [...names].map(([name, { lock, queue, waiting, last }]) => [
        name,
        {
          lock: lock && { ...lock },
          queue: { places: new Map(queue.places), untilMs: queue.untilMs },
          waiting: { signs: new Map(waiting.signs), untilMs: waiting.untilMs },
          last: last && { ...last },
        },
      ]),
    ),
    values: new Map([...values].map(([key, value]) => [key, { ...value }])),
  };
}

export interface SimpleSteps {
  acquire(keys: readonly string[], args: readonly string[]): unknown;
  extend(keys: readonly string[], args: readonly string[]): unknown;
  release(keys: readonly string[], args: readonly string[]): unknown;
}

/** What the scripts simple-acquire, extend and release do. */
export function createSimpleSteps(values: Map<string, Value>, nowUs: () => number): SimpleSteps {
  const nowMs = () => Math.floor(nowUs() / 1_000);
  const get = (key: string): string | undefined => {
    const found = values.get(key);
    if (found === undefined || found.untilMs <= nowMs()) return undefined;
    return found.value;
  };
  const set = (key: string, value: string, ttlMs: number) =>
    values.set(key, { value, untilMs: nowMs() + ttlMs });

  return {
    acquire([lock = '', token = ''], [id = '', ttlMs, above, memoryMs]) {
      const holder = get(lock);
      if (holder !== undefined && holder !== id) return [0, holder];
      set(lock, id, Number(ttlMs));
      const last = Number(get(token) ?? 0);
      if (holder === id && last > Number(above)) return [1, last];
      const minted = Math.max(nowUs(), last + 1, Number(above) + 1);
      set(token, `${minted}`, Number(memoryMs));
      return [1, minted];
    },
    extend([lock = '', token = ''], [id = '', ttlMs, memoryMs]) {
      const holder = get(lock);
      if (holder !== id) return holder ?? 0;
      const last = get(token);
      if (last !== undefined) set(token, last, Number(memoryMs));
      set(lock, id, Number(ttlMs));
      return 1;
    },
    release([lock = ''], [id]) {
      const holder = get(lock);
      if (holder !== id) return holder ?? 0;
      values.delete(lock);
      return 1;
    },
  };
}
