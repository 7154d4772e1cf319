import { performance } from 'node:perf_hooks';
import { setImmediate } from 'node:timers';

import { RefusedError, ServiceClosedError } from '../client/errors.ts';
import type { QueueMessages, QueueStore, QueueStoreOptions } from '../queue/store.ts';
import type { Timers } from '../timers.ts';
import { createQueueSteps } from './queue-steps.ts';
import type { MemoryLink } from './server.ts';

/** The steps of the queue lock in memory. Questions and messages come later, never at once, as over a network. */
export function openMemoryQueueStore(
  link: MemoryLink,
  timers: Timers,
  messages: QueueMessages,
  { clientId, keyPrefix, commandTimeoutMs, onRoundTrip, ...settings }: QueueStoreOptions,
): QueueStore {
  const { data } = link;
  const { clock } = timers;
  const underWay = new Set<(reason: Error) => void>();
  let state: 'new' | 'opening' | 'listening' | 'closed' = 'new';

  const steps = createQueueSteps(
    settings,
    nowUs,
    {
      isHeard: (client) => data.listeners.has(client),
      tell(client, what, number, name, grant) {
        // A client that another lock has closed meanwhile is told nothing.
        data.listeners.get(client)?.((to) => to[what](name, number, grant));
      },
    },
    () => undefined,
    data.namesOf(keyPrefix),
  );

  function call<T>(step: string, run: () => T): Promise<T> {
    if (state === 'closed') return Promise.reject(new ServiceClosedError());
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const sentAtMs = clock.now();
    const fail = (reason: Error) => {
      clock.clearTimeout(timeout);
      underWay.delete(fail);
      reject(reason);
    };
    const timeout = clock.setTimeout(
      () => fail(new Error(`no reply within ${commandTimeoutMs} ms`)),
      commandTimeoutMs,
    );
    underWay.add(fail);
    setImmediate(() => {
      if (!underWay.has(fail) || link.isSilent) return;
      try {
        const reply = run();
        if (link.losesReply()) return;
        clock.clearTimeout(timeout);
        underWay.delete(fail);
        onRoundTrip?.(step, clock.now() - sentAtMs);
        resolve(reply);
      } catch (error) {
        fail(new RefusedError(String(error)));
      }
    });
    return promise;
  }

  function listen(): void {
    state = 'listening';
    data.listeners.set(clientId, (deliver) => {
      setImmediate(() => {
        if (state === 'listening' && !link.isSilent) deliver(messages);
      });
    });
    messages.listening();
  }

  link.onRecovery(() => {
    if (state !== 'opening' && state !== 'listening') return;
    messages.reachable();
    // What was sent in the meantime was lost.
    listen();
  });

  return {
    client: clientId,
    get listening() {
      return state === 'listening';
    },
    acquire: (name, request) => call('acquire', () => steps.acquire(name, request)),
    extend: (name, request) => call('extend', () => steps.extend(name, request)),
    yield: (name, request) => call('yield', () => steps.yield(name, request)),
    release: (name, request) => call('release', () => steps.release(name, request)),
    poll: (name, id) => call('poll', () => steps.poll(name, id, clientId)),
    steal: (name, request) => call('steal', () => steps.steal(name, request)),
    inspect: (name) => call('inspect', () => steps.inspect(name)),
    heldNames: () => call('held-names', () => steps.heldNames()),
    open() {
      if (state !== 'new') return;
      state = 'opening';
      setImmediate(() => {
        if (state === 'opening' && !link.isSilent) listen();
      });
    },
    async close() {
      state = 'closed';
      data.listeners.delete(clientId);
      for (const fail of underWay) fail(new ServiceClosedError());
    },
  };
}

/** Of a clock that is never set back, as all services in the process use the same. */
function nowUs(): number {
  return Math.floor((performance.timeOrigin + performance.now()) * 1_000);
}
