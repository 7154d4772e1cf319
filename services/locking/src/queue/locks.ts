import { acquireSettings, type AcquireDefaults, type AcquireSettings } from '../acquire-options.ts';
import type { Alarm, Alarms } from '../alarms.ts';
import { assembleLocks } from '../assemble-locks.ts';
import { LockTimeoutError, LockUnavailableError } from '../errors.ts';
import { clientOf } from '../holder-id.ts';
import type { Released } from '../lease.ts';
import type { LockEventListener } from '../lock-events.ts';
import { checkName } from '../lock-name.ts';
import type { AcquireOptions, Lease } from '../lock.ts';
import type { LockInfo, LockSnapshot, WebLocksSource } from '../web-locks.ts';
import type { Entry, LineContext, LineSettings } from './line-context.ts';
import { Line } from './line.ts';
import { retryDelayMs } from './retry-delay.ts';
import {
  type GivenBack,
  type HandedOver,
  type NotHeld,
  RefusedError,
  type QueueMessages,
  type QueueStore,
  type ReleaseRequest,
} from './store.ts';
import { Waiter } from './waiter.ts';
import { createWatches } from './watches.ts';

export interface QueueLocksConfig {
  readonly defaults: AcquireDefaults;
  readonly line: LineSettings;
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
  close(): Promise<void>;
}

/** So many are kept until they are forgotten: more than one outage leaves behind, and still next to nothing. */
const maxUnconfirmed = 10_000;

/** How many names `inspect` asks about at once. */
const inspectedAtOnce = 100;

/** The queue lock over any store of its steps: Redis, or a model of it. */
export function createQueueLocks(
  openStore: (messages: QueueMessages) => QueueStore,
  config: QueueLocksConfig,
  alarms: Alarms,
): QueueLocksCore {
  const { defaults, emit, onReleaseFailed } = config;
  const { coalesce, lingerMs } = config.line;
  const lines = new Set<Line>();
  const linesByName = new Map<string, Line>();
  const linesByNumber = new Map<number, Line>();
  const givingBack = new Map<number, Promise<unknown>>();
  /** The last token of entries of which nobody knows whether they were given back. */
  const unconfirmed = new Map<number, number>();
  const pauses = new Set<Alarm>();
  /** Needed by nobody, and kept until another one is needed no more: its name is the likeliest to be asked for next. */
  let idle: Line | undefined;
  let entries = 0;
  let waiting = 0;
  let closed: Error | undefined;

  const store = openStore({
    granted: holds,
    asked: (_name, number) => linesByNumber.get(number)?.asked(number),
    stolen: (_name, number) => linesByNumber.get(number)?.stolen(number),
    listening: recheck,
    reachable: recheck,
  });
  // A holder that may keep what it does not need asks to be told when somebody else wants it.
  const idStart = `${store.client}${lingerMs > 0 ? '~' : ':'}`;
  const watches = createWatches(store, alarms, config.pollMs, (name, holder) => {
    if (holder.startsWith(idStart)) holds(name, Number(holder.slice(idStart.length)));
  });

  const context: LineContext = {
    store,
    alarms,
    emit,
    settings: config.line,
    register(line) {
      entries += 1;
      linesByNumber.set(entries, line);
      return { id: `${idStart}${entries}`, number: entries };
    },
    unregister: (entry: Entry) => void linesByNumber.delete(entry.number),
    watch: (line, holderTtlMs) => watches.add(line, holderTtlMs),
    unwatch: (line) => watches.remove(line),
    giveBack,
    departed() {
      waiting -= 1;
    },
    forget(line) {
      if (linesByName.get(line.name) !== line) {
        lines.delete(line);
      } else if (line !== idle) {
        dropIdle();
        idle = line;
      }
    },
  };

  /** Redis says that one of our entries has the lock. */
  function holds(name: string, number: number, grant?: HandedOver): void {
    const line = linesByNumber.get(number);
    if (line !== undefined) {
      line.granted(number, grant);
    } else if (!givingBack.has(number)) {
      // Nobody knows the entry any more: its question was believed to be lost, or its end was.
      emit?.({ type: 'stale-grant', lock: name });
      const lastToken = unconfirmed.get(number) ?? 0;
      const request = { id: `${idStart}${number}`, lastToken, contended: false };
      giveBack(name, number, request, alarms.clock.now() + config.pollMs).catch(() => undefined);
    }
  }

  function recheck(): void {
    watches.lookNow();
    for (const line of lines) line.recheck();
    for (const pause of pauses) pause.ring();
  }

  function giveBack(
    name: string,
    number: number,
    request: ReleaseRequest,
    untilMs: number,
  ): Promise<Released> {
    const first = store.release(name, request).then(
      (reply) => {
        givingBack.delete(number);
        return released(name, number, reply);
      },
      (error: unknown) => {
        if (error instanceof RefusedError) {
          givingBack.delete(number);
        } else {
          const later = releaseLater(name, number, request, untilMs);
          givingBack.set(
            number,
            later.finally(() => givingBack.delete(number)),
          );
        }
        throw error;
      },
    );
    givingBack.set(number, first);
    return first;
  }

  function released(name: string, number: number, reply: GivenBack | NotHeld): Released {
    unconfirmed.delete(number);
    if (reply.is === 'released' && reply.handedOver) emit?.({ type: 'handed-over', lock: name });
    return reply.is;
  }

  /** Whoever gave it back has been told that the outcome is unknown; the others need not wait for its expiry. */
  async function releaseLater(
    name: string,
    number: number,
    request: ReleaseRequest,
    untilMs: number,
  ): Promise<void> {
    if (request.lastToken !== undefined && request.lastToken > 0) unconfirmed.set(number, request.lastToken);
    for (const oldest of unconfirmed.keys()) {
      if (unconfirmed.size <= maxUnconfirmed) break;
      unconfirmed.delete(oldest);
    }
    for (let failures = 0; ; failures += 1) {
      await pause(retryDelayMs(failures));
      if (closed !== undefined || alarms.clock.now() >= untilMs) return;
      try {
        released(name, number, await store.release(name, request));
        return;
      } catch (error) {
        if (error instanceof RefusedError) return;
      }
    }
  }

  /** Ends early when Redis can be reached again. */
  function pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const alarm: Alarm = {
        atMs: 0,
        slot: -1,
        ring() {
          alarms.clear(alarm);
          pauses.delete(alarm);
          resolve();
        },
      };
      pauses.add(alarm);
      alarms.set(alarm, alarms.clock.now() + ms);
    });
  }

  function acquireOne(name: string, settings: AcquireSettings, steals = false): Promise<Lease> {
    if (closed !== undefined) throw new LockUnavailableError({ lock: name, cause: closed });
    if (waiting >= config.maxWaiting) {
      const cause = new Error(`${waiting} callers wait in this process already (maxWaiting)`);
      throw new LockTimeoutError({ lock: name, waitMs: 0, cause });
    }
    store.open();
    waiting += 1;
    const waiter = new Waiter(settings, alarms);
    lineFor(name, steals).admit(waiter);
    return waiter.lease;
  }

  function dropIdle(): void {
    if (idle === undefined) return;
    lines.delete(idle);
    linesByName.delete(idle.name);
  }

  function lineFor(name: string, steals: boolean): Line {
    const shared = coalesce && !steals;
    const present = shared ? linesByName.get(name) : undefined;
    if (present !== undefined) {
      if (present === idle) idle = undefined;
      return present;
    }
    const line = new Line(name, context, steals);
    lines.add(line);
    if (shared) linesByName.set(name, line);
    return line;
  }

  async function inspect(): Promise<LockSnapshot> {
    store.open();
    const held: LockInfo[] = [];
    // In Redis a client has one entry for all its waiters; our own we know one by one.
    const pending = [...lines].flatMap((line) =>
      Array.from({ length: line.waiting }, () => info(line.name, store.client)),
    );
    const names = await store.heldNames();
    for (let i = 0; i < names.length; i += inspectedAtOnce) {
      const some = names.slice(i, i + inspectedAtOnce);
      const inspections = await Promise.all(some.map((name) => store.inspect(name)));
      for (const [j, { holder, waiters }] of inspections.entries()) {
        const name = some[j] ?? '';
        if (holder !== undefined) held.push(info(name, clientOf(holder)));
        for (const waiter of waiters) {
          if (clientOf(waiter) !== store.client) pending.push(info(name, clientOf(waiter)));
        }
      }
    }
    return { held, pending };
  }

  async function close(): Promise<void> {
    closed ??= new Error('this lock service was closed');
    const cause = closed;
    await Promise.all([...lines].map((line) => line.close(cause)));
    for (const pause of pauses) pause.ring();
    // Once more, since what was not answered is tried again until then.
    await Promise.allSettled(givingBack.values());
    await Promise.allSettled(givingBack.values());
    watches.close();
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
      const settings = acquireSettings(options, defaults);
      settings.signal?.throwIfAborted();
      return acquireOne(name, settings, true);
    },
    inspect,
    close,
  };
}

function info(name: string, clientId: string): LockInfo {
  return { name, mode: 'exclusive', clientId };
}
