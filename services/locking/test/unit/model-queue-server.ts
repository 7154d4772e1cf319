import type {
  AcquireRequest,
  ExtendRequest,
  GivenBack,
  Grant,
  Inspection,
  Kept,
  NotHeld,
  Queued,
  ReleaseRequest,
  Seen,
  Vanished,
  YieldRequest,
} from '#src/queue/store.ts';

export interface ModelSettings {
  readonly claimMs: number;
  readonly staleMs: number;
  readonly queueMemoryMs: number;
  readonly tokenMemoryMs: number;
}

export type Told = 'granted' | 'asked' | 'stolen';

/** What one name has in Redis; each part with its own expiry. */
interface Keys {
  lock: { id: string; token: number | undefined; untilMs: number } | undefined;
  queue: { places: Map<string, number>; untilMs: number };
  waiting: { signs: Map<string, number>; untilMs: number };
  last: { token: number; untilMs: number } | undefined;
}

type GrantRequest = Pick<AcquireRequest, 'id' | 'ttlMs' | 'tokenAbove' | 'reserve'>;

const largestToken = Number.MAX_SAFE_INTEGER;

/**
 * What the scripts do, said once more in another language: each step happens as a whole. That it says the same as the
 * scripts is shown in test/integration/queue-differential.test.ts.
 *
 * @param nowUs the clock of Redis
 * @param publish tells a client something; returns how many heard it
 * @param minted told of every token that Redis makes
 */
export function createModelServer(
  settings: ModelSettings,
  nowUs: () => number,
  publish: (client: string, what: Told, number: number, name: string) => number,
  minted: (name: string, token: number, id: string) => void = () => undefined,
) {
  const names = new Map<string, Keys>();
  const nowMs = () => Math.floor(nowUs() / 1_000);

  function keysOf(name: string): Keys {
    let keys = names.get(name);
    if (keys === undefined) {
      const queue = { places: new Map(), untilMs: 0 };
      keys = { lock: undefined, queue, waiting: { signs: new Map(), untilMs: 0 }, last: undefined };
      names.set(name, keys);
    }
    const now = nowMs();
    if (keys.lock !== undefined && keys.lock.untilMs <= now) keys.lock = undefined;
    if (keys.last !== undefined && keys.last.untilMs <= now) keys.last = undefined;
    if (keys.queue.untilMs <= now) keys.queue.places.clear();
    if (keys.waiting.untilMs <= now) keys.waiting.signs.clear();
    return keys;
  }

  function ordered({ queue }: Keys): string[] {
    return [...queue.places].sort(([a, x], [b, y]) => x - y || (a < b ? -1 : 1)).map(([id]) => id);
  }

  function tell(id: string, what: Told, name: string): number {
    const { client, number } = parse(id);
    return publish(client, what, number, name);
  }

  function tellHolder(name: string, holder: string): void {
    if (parse(holder).kind === '~') tell(holder, 'asked', name);
  }

  function remember(keys: Keys, token: number): void {
    keys.last = { token, untilMs: nowMs() + settings.tokenMemoryMs };
  }

  function reservation(token: number, ttlMs: number): number {
    return Math.min(Math.max(nowUs() + ttlMs * 1_000, token + 1_000), largestToken);
  }

  function granted(keys: Keys, token: number, { ttlMs, reserve }: GrantRequest): Grant {
    const reserved = reserve ? reservation(token, ttlMs) : token;
    remember(keys, reserved);
    return { is: 'granted', token, reserved, clockUs: nowUs(), waiting: keys.queue.places.size };
  }

  function grant(name: string, keys: Keys, request: GrantRequest): Grant {
    const { id, ttlMs, tokenAbove } = request;
    const token = Math.max(nowUs(), tokenAbove + 1, (keys.last?.token ?? 0) + 1);
    if (token > largestToken) throw new Error('ERR no larger token is left for this lock');
    keys.lock = { id, token, untilMs: nowMs() + ttlMs };
    minted(name, token, id);
    return granted(keys, token, request);
  }

  function grantAgain(keys: Keys, token: number, request: GrantRequest): Grant {
    keys.lock = { id: request.id, token, untilMs: nowMs() + request.ttlMs };
    return granted(keys, token, request);
  }

  function sign(keys: Keys, client: string): void {
    keys.waiting.signs.set(client, nowMs());
    keys.waiting.untilMs = nowMs() + settings.queueMemoryMs;
    keys.queue.untilMs = nowMs() + settings.queueMemoryMs;
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
    const deaf = new Set<string>();
    for (const id of ordered(keys)) {
      keys.queue.places.delete(id);
      const { client } = parse(id);
      const lock = { id, token: undefined, untilMs: nowMs() + settings.claimMs };
      if (id === here || client === here) {
        keys.lock = lock;
        return id;
      }
      const heardMs = deaf.has(client) ? undefined : keys.waiting.signs.get(client);
      if (heardMs === undefined || heardMs * 1_000 < nowUs() - settings.staleMs * 1_000) continue;
      keys.lock = lock;
      if (tell(id, 'granted', name) > 0) return id;
      deaf.add(client);
    }
    keys.lock = undefined;
    keys.waiting.signs.clear();
    return undefined;
  }

  function rank(keys: Keys, id: string): number {
    return ordered(keys).indexOf(id);
  }

  function queued(keys: Keys, holder: string, id: string, place: number | undefined): Queued {
    const before = place === undefined ? -1 : rank(keys, id);
    return { is: 'queued', holder, holderTtlMs: leftMs(keys), place, before };
  }

  function leftMs(keys: Keys): number {
    return keys.lock === undefined ? -2 : keys.lock.untilMs - nowMs();
  }

  return {
    acquire(name: string, request: AcquireRequest): Grant | Queued {
      const keys = keysOf(name);
      const { id } = request;
      if (keys.lock === undefined && keys.queue.places.size === 0) return grant(name, keys, request);
      if (keys.lock?.id === id) {
        const { token } = keys.lock;
        return token === undefined ? grant(name, keys, request) : grantAgain(keys, token, request);
      }
      const place = request.enqueue ? enqueue(keys, id, request.place) : undefined;
      let holder = keys.lock?.id;
      if (holder === undefined) {
        holder = handOver(name, keys, id);
        if (holder === undefined || holder === id) return grant(name, keys, request);
      } else tellHolder(name, holder);
      return queued(keys, holder, id, place);
    },

    extend(name: string, { id, ttlMs, reserve }: ExtendRequest): Kept | NotHeld {
      const keys = keysOf(name);
      if (keys.lock === undefined) return { is: 'gone' };
      if (keys.lock.id !== id || keys.lock.token === undefined) return { is: 'taken' };
      keys.lock.untilMs = nowMs() + ttlMs;
      if (!reserve) {
        if (keys.last !== undefined) remember(keys, keys.last.token);
        return { is: 'kept', reserved: 0, waiting: keys.queue.places.size };
      }
      const reserved = Math.max(keys.last?.token ?? 0, reservation(keys.lock.token, ttlMs));
      remember(keys, reserved);
      return { is: 'kept', reserved, waiting: keys.queue.places.size };
    },

    yield(
      name: string,
      { id, nextId, lastToken, ttlMs, tokenAbove }: YieldRequest,
    ): Grant | Queued | NotHeld {
      const keys = keysOf(name);
      if (keys.lock?.id === id) {
        remember(keys, lastToken);
        const holder = handOver(name, keys);
        if (holder === undefined) {
          return grant(name, keys, { id, ttlMs, tokenAbove, reserve: true });
        }
        return queued(keys, holder, nextId, enqueue(keys, nextId, undefined));
      }
      const place = keys.queue.places.get(nextId) ?? (keys.lock?.id === nextId ? 0 : undefined);
      if (place === undefined) return { is: keys.lock === undefined ? 'gone' : 'taken' };
      return queued(keys, keys.lock?.id ?? '', nextId, place);
    },

    release(name: string, { id, lastToken }: ReleaseRequest): GivenBack | NotHeld {
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
      for (const [client, atMs] of signs) if (atMs <= nowMs() - settings.staleMs) signs.delete(client);
      if (keys.queue.places.size > 0) sign(keys, client);
      const holder = keys.lock?.id ?? handOver(name, keys, client);
      const before = rank(keys, id);
      if (holder === undefined || (before === -1 && holder !== id)) return { is: 'vanished' };
      if (before !== -1 && parse(holder).client !== client) tellHolder(name, holder);
      return { is: 'seen', holder, holderTtlMs: leftMs(keys), before };
    },

    steal(name: string, asked: AcquireRequest): Grant {
      const request = { ...asked, reserve: false };
      const keys = keysOf(name);
      const { lock } = keys;
      if (lock?.id === request.id && lock.token !== undefined) return grantAgain(keys, lock.token, request);
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
    /** The client has given no sign of life since `sinceMs` ago. */
    silence(name: string, client: string, sinceMs: number): void {
      const { signs } = keysOf(name).waiting;
      if (signs.has(client)) signs.set(client, nowMs() - sinceMs);
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

export type ModelServer = ReturnType<typeof createModelServer>;

function parse(id: string): { client: string; kind: string; number: number } {
  const [, client = '', kind = '', number = ''] = /^(.*)([:~])(\w+)$/.exec(id) ?? [];
  return { client, kind, number: Number(number) };
}
