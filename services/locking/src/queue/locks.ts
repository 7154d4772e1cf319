import { assembleLocks, requestSettings } from '../assemble-locks.ts';
import { ServiceClosedError } from '../client/errors.ts';
import { LockTimeoutError, LockUnavailableError } from '../errors.ts';
import { clientOf, waiterNumber, writeWaiterId } from '../holder-id.ts';
import type { LockEventListener } from '../lock-events.ts';
import { checkName } from '../lock-name.ts';
import type { AcquireOptions, Lease } from '../lock.ts';
import type { AcquireDefaults, AcquireSettings } from '../options.ts';
import type { Timers } from '../timers.ts';
import type { LockInfo, LockSnapshot, WebLocksSource } from '../web-locks.ts';
import { Waiter } from './callers.ts';
import { NameQueue } from './name-queue.ts';
import type { NameContext, NameSettings } from './name-state.ts';
import { type KnownName, Names } from './names.ts';
import { createPoller } from './poller.ts';
import { createReleaser } from './releaser.ts';
import type { HandedOver, Inspection, QueueMessages, QueueStore } from './store.ts';

export interface QueueLocksConfig {
  readonly defaults: AcquireDefaults;
  readonly settings: NameSettings;
  /** How many callers may wait here at once, over all names. */
  readonly maxWaiting: number;
  readonly pollMs: number;
  readonly emit: LockEventListener | undefined;
  readonly onReleaseFailed: (error: unknown) => void;
}

export interface QueueLocksCore extends WebLocksSource {
  /** This service among all services of the same Redis: what `clientOf` says of its leases. */
  readonly clientId: string;
  steal(name: string, options?: AcquireOptions): Promise<Lease>;
  inspect(): Promise<LockSnapshot>;
}

/** How many names `inspect` asks about at once. */
const inspectedAtOnce = 100;

/** The queue lock over any store of its steps: Redis, or a model of it. */
export function createQueueLocks(
  openStore: (messages: QueueMessages) => QueueStore,
  config: QueueLocksConfig,
  timers: Timers,
): QueueLocksCore {
  const { defaults, emit, onReleaseFailed } = config;
  const { coalesce, lingerMs } = config.settings;
  const names = new Names();
  let entries = 0;
  let waiting = 0;
  let closed: ServiceClosedError | undefined;

  // A holder that may keep what it does not need asks to be told when somebody else wants it.
  const idOf = (number: number, ttlMs: number) =>
    writeWaiterId({ client: store.client, ttlMs, listens: lingerMs > 0, number });

  const store = openStore({
    granted: (name, number, grant) => holds(name, number, idOf(number, grant.ttlMs), grant),
    asked: (name, number) => names.find(name, number)?.asked(number),
    stolen: (name, number) => names.find(name, number)?.stolen(number),
    ignored: () => emit?.({ type: 'ignored-message' }),
    listening: recheck,
    reachable: recheck,
  });
  const releaser = createReleaser(store, timers, emit);
  const poller = createPoller(store, timers, config.pollMs, (name, holder) => {
    const number = waiterNumber(holder, store.client);
    if (number !== undefined) holds(name, number, holder);
  });

  const context: NameContext = {
    store,
    timers,
    emit,
    settings: config.settings,
    register(queue, ttlMs) {
      entries += 1;
      names.expect(queue, entries);
      return { id: idOf(entries, ttlMs), number: entries };
    },
    unregister: ({ number }) => names.unexpect(number),
    startPolling: (queue, holderTtlMs) => poller.add(queue, holderTtlMs),
    stopPolling: (queue) => poller.remove(queue),
    release: releaser.release,
    departed({ patient }) {
      if (patient) waiting -= 1;
    },
    forget: (queue) => names.forget(queue),
  };

  /** Redis says that one of our entries has the lock. */
  function holds(name: string, number: number, id: string, grant?: HandedOver): void {
    const queue = names.find(name, number);
    if (queue !== undefined) {
      queue.granted(number, grant);
    } else if (!releaser.isUnderWay(number)) {
      // No caller has this entry any more: the question for it, or its release, was believed to be lost.
      emit?.({ type: 'stale-grant', lock: name });
      const lastToken = releaser.lastTokenOf(number);
      releaser.release(name, number, { id, lastToken, contended: false }).catch(() => undefined);
    }
  }

  function recheck(): void {
    poller.pollNow();
    for (const queue of names) queue.recheck();
    releaser.recheck();
  }

  function acquireOne(name: string, settings: AcquireSettings, steals = false): Promise<Lease> {
    if (closed !== undefined) throw new LockUnavailableError({ lock: name, cause: closed });
    const waiter = new Waiter(settings, timers);
    // A caller that only tries does not wait: it is told whether the lock is free, however many wait for other locks.
    if (waiter.patient && waiting >= config.maxWaiting) {
      const cause = new Error(`${waiting} callers wait in this process already (maxWaiting)`);
      throw new LockTimeoutError({ lock: name, waitMs: 0, cause });
    }
    store.open();
    if (waiter.patient) waiting += 1;
    queueFor(name, steals).admit(waiter);
    return waiter.lease;
  }

  function queueFor(name: string, steals: boolean): KnownName {
    const isShared = coalesce && !steals;
    const present = isShared ? names.shared(name) : undefined;
    if (present !== undefined) return present;
    const queue = new NameQueue(name, context, { isShared, steals });
    names.add(queue);
    return queue;
  }

  async function inspect(): Promise<LockSnapshot> {
    store.open();
    const snapshot: LockSnapshot = { held: [], pending: [] };
    try {
      const held = await store.heldNames();
      // Callers of this process may have asked for a lock, or got it, after that list was made.
      const all = [...new Set([...held, ...Array.from(names, ({ name }) => name)])];
      for (let i = 0; i < all.length; i += inspectedAtOnce) {
        const some = all.slice(i, i + inspectedAtOnce);
        const inspections = await Promise.all(
          some.map(async (name) => ({ name, seen: await store.inspect(name) })),
        );
        const ours = callersOf(new Set(some));
        for (const { name, seen } of inspections) addTo(snapshot, name, seen, ours.get(name) ?? 0);
      }
    } catch (cause) {
      throw new LockUnavailableError({ lock: '*', cause });
    }
    return snapshot;
  }

  /** How many callers here hold each of these locks or wait for it. */
  function callersOf(some: ReadonlySet<string>): Map<string, number> {
    const callers = new Map<string, number>();
    for (const { name, size } of names) {
      if (some.has(name)) callers.set(name, (callers.get(name) ?? 0) + size);
    }
    return callers;
  }

  /** In Redis a client has one entry for all its waiters; our own callers we know one by one: all but the holder wait. */
  function addTo({ held, pending }: LockSnapshot, name: string, seen: Inspection, ours: number): void {
    const holder = seen.holder === undefined ? undefined : clientOf(seen.holder);
    if (holder !== undefined) held.push(info(name, holder));
    const waiting = holder === store.client ? ours - 1 : ours;
    for (let i = 0; i < waiting; i += 1) pending.push(info(name, store.client));
    for (const client of seen.waiters.map(clientOf)) {
      if (client !== store.client) pending.push(info(name, client));
    }
  }

  async function close(): Promise<void> {
    closed ??= new ServiceClosedError();
    const cause = closed;
    releaser.stop();
    await Promise.all([...names].map((queue) => queue.close(cause)));
    await releaser.settled();
    poller.close();
    await store.close();
  }

  return {
    clientId: store.client,
    ...assembleLocks({
      defaults,
      acquireOne: (name, settings) => acquireOne(name, settings),
      onReleaseFailed,
      close,
    }),
    async steal(name, options = {}) {
      checkName(name);
      return acquireOne(name, requestSettings(options, defaults), true);
    },
    inspect,
  };
}

function info(name: string, clientId: string): LockInfo {
  return { name, mode: 'exclusive', clientId };
}
