import { vi } from 'vitest';

import type { Lease } from '#src/index.ts';
import { createQueueSteps } from '#src/memory/queue-steps.ts';
import { createQueueLocks } from '#src/queue/locks.ts';

import { commandTimeoutMs, connectClient, createModelTime, type ModelClient } from './model-network.ts';
import { longestTtlMs, type Op, type World } from './model-worlds.ts';

const pollMs = 50;
const staleMs = 3.5 * pollMs;
/** Longer than the clock is ever set back, plus the tokens that a holder may have reserved ahead of it. */
const memoryMs = 4 * staleMs;
/** How far the clock may be set back, all in all. */
const clockFaultMs = 300;
/** The longest step of time between two hops, and the shortest: nothing on a network takes no time at all. */
const paceMs = { most: 3, least: 0.005 };

/**
 * Once everybody releases at once and nothing is lost any more, whoever still waits has the lock by then: a lock that
 * nobody knows of expires, and a holder that was told in vain is found out by a poll.
 */
const drainMs = longestTtlMs + clockFaultMs + 2 * pollMs + staleMs;

interface Wait {
  readonly client: ModelClient;
  readonly sinceMs: number;
  readonly waitMs: number;
  readonly controller: AbortController;
}

interface Held {
  readonly lease: Lease;
  readonly client: ModelClient;
}

/**
 * Plays a world to its end, and throws where a promise is broken.
 *
 * @param exclusive nothing happens through which Redis loses or gives away a lock: then nobody ever meets
 * @returns how many leases were given
 */
export async function play(world: World, exclusive: boolean): Promise<number> {
  const random = randomFrom(world.seed);
  const dice = vi.spyOn(Math, 'random').mockImplementation(random);
  try {
    return await run(world, exclusive, random);
  } finally {
    dice.mockRestore();
  }
}

async function run(world: World, exclusive: boolean, random: () => number): Promise<number> {
  const { scheduler, coalesce, ops } = world;
  const time = createModelTime();
  const lastGiven = new Map<string, number>();
  const waits = new Set<Wait>();
  const held = new Set<Held>();
  let clockOffsetMs = 0;
  let grants = 0;
  let draining = false;
  let breach: string | undefined;

  const server = createQueueSteps(
    { staleMs, queueMemoryMs: memoryMs, tokenMemoryMs: memoryMs },
    () => Math.floor((1_000_000 + time.now() + clockOffsetMs) * 1_000),
    {
      isHeard: (to) => clientOf(to)?.isHeard ?? false,
      tell: (to, what, number, name, grant) => clientOf(to)?.deliver(what, number, name, grant),
    },
    (name, token) => {
      const last = lastGiven.get(name) ?? 0;
      if (token <= last) breach ??= `Redis minted ${token} for ${name} after ${last} had been given away`;
    },
  );
  const services = ['a', 'b', 'c'].map((id) => {
    const client = connectClient(id, scheduler, time, () => server, random);
    const locks = createQueueLocks(
      client.open,
      {
        defaults: { waitMs: 400, ttlMs: longestTtlMs, renew: true, maxHoldMs: Infinity },
        settings: {
          coalesce,
          lingerMs: coalesce ? world.lingerMs : 0,
          tenureGrants: 3,
          tenureMs: 50,
          unavailableAfterMs: 150,
        },
        maxWaiting: 100,
        pollMs,
        emit: undefined,
        onReleaseFailed: () => undefined,
      },
      client.timers,
    );
    return { id, client, locks };
  });
  const clientOf = (id: string) => services.find((service) => service.id === id)?.client;

  async function wait(one: Wait, ask: (signal: AbortSignal) => Promise<Lease>): Promise<void> {
    waits.add(one);
    try {
      given(await ask(one.controller.signal), one.client);
    } catch {
      // Refused is an answer too; that it came in time is checked while it waits.
    } finally {
      waits.delete(one);
    }
  }

  function given(lease: Lease, client: ModelClient): void {
    grants += 1;
    const last = lastGiven.get(lease.name) ?? 0;
    if (exclusive && lease.token <= last) breach ??= `${lease.token} was given away after ${last}`;
    lastGiven.set(lease.name, Math.max(lease.token, last));
    const one = { lease, client };
    held.add(one);
    if (draining) release(one);
  }

  function release(one: Held): void {
    held.delete(one);
    one.lease.release().catch(() => undefined);
  }

  function perform(op: Op): void {
    switch (op.do) {
      case 'acquire':
      case 'steal': {
        const { client, locks } = services[op.client]!;
        if (!client.self.runs) return;
        const { name, waitMs, ttlMs, renew } = op;
        const one = { client, sinceMs: time.now(), waitMs, controller: new AbortController() };
        const how = op.do === 'steal' ? locks.steal : locks.acquire;
        void wait(one, (signal) => how(name, { waitMs, ttlMs, renew, signal }));
        return;
      }
      case 'release': {
        const all = running(held);
        if (all.length > 0) release(all[op.which % all.length]!);
        return;
      }
      case 'extend': {
        const all = running(held);
        if (all.length > 0) all[op.which % all.length]!.lease.extend().catch(() => undefined);
        return;
      }
      case 'cancel': {
        const all = running(waits);
        if (all.length > 0) all[op.which % all.length]!.controller.abort();
        return;
      }
      case 'flush':
        server.flush();
        return;
      case 'lose lock':
        server.loseLock(op.name);
        return;
      case 'set clock back':
        clockOffsetMs = Math.max(clockOffsetMs - 100, -clockFaultMs);
        return;
      case 'hops':
      case 'pass':
        return;
      case 'cut':
      case 'deafen':
      case 'failOver':
      case 'stop':
      case 'resume':
      case 'kill':
        services[op.client]!.client[op.do]();
    }
  }

  function check(): void {
    if (breach !== undefined) throw new Error(`${breach} (at ${time.now()} ms)`);
    const holders = new Set<string>();
    for (const { lease, client } of held) {
      if (client.isDead || lease.remainingMs() <= 0) continue;
      if (exclusive && holders.has(lease.name)) throw new Error(`two hold ${lease.name} at ${time.now()} ms`);
      holders.add(lease.name);
    }
    for (const { client, sinceMs, waitMs } of running(waits)) {
      // One that does not wait is bounded by one call, which may have to follow another one under way.
      const boundMs = waitMs === 0 ? 2 * commandTimeoutMs : waitMs;
      if (time.now() > sinceMs + boundMs + paceMs.most + client.stoppedMs) {
        throw new Error(`a wait of ${waitMs} ms has lasted ${time.now() - sinceMs} ms`);
      }
    }
  }

  /** Lets time pass, and everything happen at its time. */
  async function pass(ms: number): Promise<void> {
    const untilMs = time.now() + ms;
    do {
      time.skipTo(Math.min(untilMs, Math.max(time.next(), time.now())));
      time.fire();
      await rest();
      check();
    } while (time.now() < untilMs);
  }

  async function hops(count: number, pace: () => number): Promise<void> {
    for (let i = 0; i < count && scheduler.count() > 0; i += 1) {
      await scheduler.waitNext(1);
      await rest();
      await pass(pace());
    }
  }

  for (const op of ops) {
    perform(op);
    await rest();
    check();
    if (op.do === 'pass') await pass(op.ms);
    await hops(op.do === 'hops' ? op.count : 1, () =>
      Math.max(paceMs.least, Math.floor(random() * (paceMs.most + 1))),
    );
  }

  // From here on nothing goes wrong, and nobody keeps the lock.
  for (const { client } of services) {
    client.becomeReliable();
    client.resume();
  }
  draining = true;
  const calmSinceMs = time.now();
  for (const one of running(held)) release(one);
  await rest();
  while (running(waits).length > 0) {
    await hops(Infinity, () => paceMs.least);
    if (time.now() - calmSinceMs > drainMs)
      throw new Error(`somebody still waits after ${drainMs} ms of calm`);
    await pass(Math.max(0.1, Math.min(time.next() - time.now(), pollMs)));
  }

  // And then nothing is left of it all: no lock, no key, no timer.
  for (const { client, locks } of services.filter(({ client }) => !client.isDead)) {
    const closing = { done: false, untilMs: time.now() + drainMs };
    void locks.close().then(() => (closing.done = true));
    while (!closing.done) {
      await rest();
      await hops(Infinity, () => paceMs.least);
      if (!closing.done) await pass(1);
      if (time.now() > closing.untilMs) throw new Error('a lock service cannot be closed');
    }
    if (client.timers.size > 0) throw new Error(`${client.timers.size} timers are left after the end`);
  }
  await hops(Infinity, () => paceMs.least);
  // A token that is ahead of the clock is remembered until a second after the clock has passed it.
  await pass(memoryMs + longestTtlMs + clockFaultMs + 1_100);
  if (server.size() > 0) throw new Error(`${server.size()} keys are left in Redis`);
  return grants;
}

function running<T extends { client: ModelClient }>(all: Iterable<T>): T[] {
  return [...all].filter(({ client }) => client.self.runs);
}

/** Runs promise reactions until none are left: the event loop gets to its check phase only then. */
function rest(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** Mulberry32: small, and the same everywhere, so that a world is played again by its seed. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
