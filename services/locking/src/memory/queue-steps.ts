import type {
  AcquireRequest,
  ExtendRequest,
  Released,
  Grant,
  HandedOver,
  Holder,
  Inspection,
  Extended,
  NotHeld,
  Queued,
  ReleaseRequest,
  Seen,
  Vanished,
  YieldRequest,
} from '../queue/store.ts';
import { currentKeys, type Keys, ordered, rank } from './keys.ts';

export interface StepSettings {
  readonly staleMs: number;
  readonly queueMemoryMs: number;
  readonly tokenMemoryMs: number;
}

export type Told = 'granted' | 'asked' | 'stolen';

export interface Channels {
  /** Whether this server knows somebody who subscribes to the channel of the client. */
  isHeard(client: string): boolean;
  tell(client: string, what: Told, number: number, name: string, grant: HandedOver): void;
}

const noGrant: HandedOver = { is: 'granted', token: 0, reserved: 0, clockUs: 0, waiting: 0, ttlMs: 0 };

type GrantRequest = Pick<AcquireRequest, 'id' | 'ttlMs' | 'tokenAbove' | 'reserve'>;

const largestToken = Number.MAX_SAFE_INTEGER;

/**
 * What the Lua scripts of the queue lock do, said once more in another language, on data in memory. Each step happens as a
 * whole. That it says the same as the scripts is shown in test/integration/queue-differential.test.ts.
 *
 * @param nowUs the clock of Redis
 * @param minted told of every token that Redis makes
 * @param names what there is already
 */
export function createQueueSteps(
  settings: StepSettings,
  nowUs: () => number,
  channels: Channels,
  minted: (name: string, token: number, id: string) => void = () => undefined,
  names: Map<string, Keys> = new Map(),
) {
  const nowMs = () => Math.floor(nowUs() / 1_000);

  const keysOf = (name: string) => currentKeys(names, name, nowMs());

  function tell(id: string, what: Told, name: string, grant: HandedOver = noGrant): void {
    const { client, number } = parse(id);
    channels.tell(client, what, number, name, grant);
  }

  function tellHolder(name: string, keys: Keys, asking: string): void {
    if (keys.lock === undefined) return;
    const { id, alone } = keys.lock;
    const { kind, client } = parse(id);
    keys.lock.alone = false;
    if (alone || (kind === '~' && client !== asking)) tell(id, 'asked', name);
  }

  /** @param ttlMs what is left of the lease */
  function remember(keys: Keys, token: number, ttlMs = 0): void {
    const aheadMs = token > nowUs() ? Math.ceil((token - nowUs()) / 1_000) + 1_000 : 0;
    keys.last = { token, untilMs: nowMs() + Math.max(settings.tokenMemoryMs + ttlMs, aheadMs) };
  }

  function reservation(token: number, ttlMs: number): number {
    return Math.min(Math.max(nowUs() + ttlMs * 1_000, token + 1_000), largestToken);
  }

  function granted(keys: Keys, token: number, { ttlMs, reserve }: GrantRequest): Grant {
    const reserved = reserve ? reservation(token, ttlMs) : token;
    remember(keys, reserved, ttlMs);
    return { is: 'granted', token, reserved, clockUs: nowUs(), waiting: keys.queue.places.size };
  }

  function grant(name: string, keys: Keys, request: GrantRequest): Grant {
    const { id, ttlMs, tokenAbove } = request;
    const token = Math.max(nowUs(), tokenAbove + 1, (keys.last?.token ?? 0) + 1);
    if (token > largestToken) throw new Error('ERR no larger token is left for this lock');
    keys.lock = { id, token, untilMs: nowMs() + ttlMs, alone: false };
    minted(name, token, id);
    return granted(keys, token, request);
  }

  function grantFree(name: string, keys: Keys, request: AcquireRequest): Grant {
    const { tokenAbove, enqueue: waits, place, reserve } = request;
    const plain = tokenAbove === 0 && waits && place === undefined && !reserve;
    const behind = (keys.last?.token ?? 0) < nowUs();
    const given = grant(name, keys, request);
    if (keys.lock !== undefined) keys.lock.alone = plain && behind;
    return given;
  }

  function grantAgain(name: string, keys: Keys, request: GrantRequest): Grant {
    const { token = 0, untilMs = 0, alone = false } = keys.lock ?? {};
    if (token <= request.tokenAbove) return grant(name, keys, request);
    const leftMs = Math.max(untilMs - nowMs(), request.ttlMs);
    keys.lock = { id: request.id, token, untilMs: nowMs() + leftMs, alone };
    const reserved = Math.max(
      keys.last?.token ?? 0,
      request.reserve ? reservation(token, request.ttlMs) : token,
    );
    remember(keys, reserved, leftMs);
    return { is: 'granted', token, reserved, clockUs: nowUs(), waiting: keys.queue.places.size };
  }

  function handTo(name: string, keys: Keys, id: string): HandedOver {
    const { ttlMs } = parse(id);
    return { ...grant(name, keys, { id, ttlMs, tokenAbove: 0, reserve: true }), ttlMs };
  }

  function sign(keys: Keys, client: string): void {
    keys.waiting.signs.set(client, nowMs() + settings.staleMs);
    for (const key of [keys.queue, keys.waiting]) {
      key.untilMs = Math.max(key.untilMs, nowMs() + settings.queueMemoryMs);
    }
  }

  function isAlive(keys: Keys, client: string): boolean {
    return (keys.waiting.signs.get(client) ?? 0) * 1_000 >= nowUs() && channels.isHeard(client);
  }

  function enqueue(keys: Keys, id: string, place: number | undefined): number {
    const { places } = keys.queue;
    const own = places.get(id) ?? (place || Math.max(nowUs(), Math.max(0, ...places.values()) + 1));
    places.set(id, own);
    sign(keys, parse(id).client);
    return own;
  }

  /** @returns the new holder; `here`, its client or its id, reads it in the reply and need not be told */
  function handOver(name: string, keys: Keys, here?: string): string | undefined {
    for (const id of ordered(keys)) {
      keys.queue.places.delete(id);
      const { client } = parse(id);
      const reads = id === here || client === here;
      if (!reads && !isAlive(keys, client)) continue;
      const given = handTo(name, keys, id);
      if (!reads) tell(id, 'granted', name, given);
      return id;
    }
    keys.lock = undefined;
    keys.waiting.signs.clear();
    return undefined;
  }

  function holderOf(keys: Keys): Holder {
    return { holder: keys.lock?.id, holderToken: keys.lock?.token, holderTtlMs: leftMs(keys) };
  }

  function queued(keys: Keys, id: string, place: number | undefined): Queued {
    const before = place === undefined ? -1 : rank(keys, id);
    return { is: 'queued', ...holderOf(keys), place, before };
  }

  function leftMs(keys: Keys): number {
    return keys.lock === undefined ? -2 : keys.lock.untilMs - nowMs();
  }

  return {
    acquire(name: string, request: AcquireRequest): Grant | Queued {
      const keys = keysOf(name);
      const { id } = request;
      if (keys.lock === undefined && keys.queue.places.size === 0) return grantFree(name, keys, request);
      if (keys.lock?.id === id) return grantAgain(name, keys, request);
      const place = request.enqueue ? enqueue(keys, id, request.place) : undefined;
      if (keys.lock === undefined) {
        const holder = handOver(name, keys, id);
        if (holder === undefined) return grant(name, keys, request);
        if (holder === id) return grantAgain(name, keys, request);
      } else if (request.enqueue) tellHolder(name, keys, parse(id).client);
      return queued(keys, id, place);
    },

    extend(name: string, { id, ttlMs, reserved: given }: ExtendRequest): Extended | NotHeld {
      const keys = keysOf(name);
      if (keys.lock === undefined) return { is: 'gone' };
      if (keys.lock.id !== id) return { is: 'taken' };
      keys.lock.untilMs = nowMs() + ttlMs;
      if (given === undefined) {
        if (keys.last !== undefined) remember(keys, keys.last.token, ttlMs);
        return { is: 'extended', reserved: 0, waiting: keys.queue.places.size };
      }
      const reserved = Math.max(given, reservation(keys.lock.token, ttlMs));
      remember(keys, reserved, ttlMs);
      return { is: 'extended', reserved, waiting: keys.queue.places.size };
    },

    yield(
      name: string,
      { id, nextId, firstToken, lastToken, ttlMs, tokenAbove }: YieldRequest,
    ): Grant | Queued | NotHeld {
      const keys = keysOf(name);
      if (keys.lock?.id === id && keys.lock.token !== firstToken) {
        return grantAgain(name, keys, { id, ttlMs, tokenAbove, reserve: true });
      }
      if (keys.lock?.id === id) {
        remember(keys, lastToken);
        const holder = handOver(name, keys);
        if (holder === undefined) {
          return grant(name, keys, { id, ttlMs, tokenAbove, reserve: true });
        }
        return queued(keys, nextId, enqueue(keys, nextId, undefined));
      }
      const place = keys.queue.places.get(nextId) ?? (keys.lock?.id === nextId ? 0 : undefined);
      if (place === undefined) return { is: keys.lock === undefined ? 'gone' : 'taken' };
      return queued(keys, nextId, place);
    },

    release(name: string, { id, lastToken }: ReleaseRequest): Released | NotHeld {
      const keys = keysOf(name);
      if (keys.lock?.id !== id) {
        keys.queue.places.delete(id);
        return { is: keys.lock === undefined ? 'gone' : 'taken' };
      }
      const last = lastToken === 0 ? keys.lock.token : lastToken;
      if (last !== undefined) remember(keys, last);
      return { is: 'released', handedOver: handOver(name, keys) !== undefined };
    },

    poll(name: string, id: string, client: string): Seen | Vanished {
      const keys = keysOf(name);
      const { signs } = keys.waiting;
      for (const [client, untilMs] of signs) if (untilMs < nowMs()) signs.delete(client);
      if (keys.queue.places.size > 0) sign(keys, client);
      const holder = keys.lock?.id ?? handOver(name, keys, client);
      const before = rank(keys, id);
      if (holder === undefined || (before === -1 && holder !== id)) return { is: 'vanished' };
      if (before !== -1) tellHolder(name, keys, client);
      return { is: 'seen', ...holderOf(keys), before };
    },

    steal(name: string, asked: AcquireRequest): Grant {
      const request = { ...asked, reserve: false };
      const keys = keysOf(name);
      const { lock } = keys;
      if (lock?.id === request.id) return grantAgain(name, keys, request);
      if (lock !== undefined) tell(lock.id, 'stolen', name);
      return grant(name, keys, request);
    },

    inspect(name: string): Inspection {
      const keys = keysOf(name);
      const waiters = ordered(keys);
      const { lock } = keys;
      return {
        holder: lock?.id,
        token: lock?.token,
        holderTtlMs: leftMs(keys),
        waiting: waiters.length,
        waiters,
      };
    },

    heldNames: () => [...names.keys()].filter((name) => keysOf(name).lock !== undefined),

    // What others may do to the keys.

    loseLock(name: string): void {
      keysOf(name).lock = undefined;
    },
    flush: () => names.clear(),
    /** The client has given no sign of life for too long. */
    silence(name: string, client: string): void {
      const { signs } = keysOf(name).waiting;
      if (signs.has(client)) signs.set(client, nowMs() - settings.staleMs);
    },
    /** How many keys there are. */
    size(): number {
      return [...names.keys()].reduce((sum, name) => {
        const { lock, last, queue, waiting } = keysOf(name);
        return (
          sum +
          Number(lock !== undefined) +
          Number(last !== undefined) +
          queue.places.size +
          waiting.signs.size
        );
      }, 0);
    },
  };
}

export type QueueSteps = ReturnType<typeof createQueueSteps>;

function parse(id: string): { client: string; ttlMs: number; kind: string; number: number } {
  const [, client = '', ttlMs = '', kind = '', number = ''] = /^(.*)\/(\d+)([:~])(\d+)$/.exec(id) ?? [];
  return { client, ttlMs: Number(ttlMs), kind, number: Number(number) };
}
