import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { UserError } from '@lastseat/infra/command-line';
import { Redis } from 'ioredis';
import { Agent } from 'undici';

import type { Arena } from '../faults/arena.ts';
import { onMachineClock } from '../history/clock.ts';
import type { Pause, Race, RaceBuyer } from '../race/race.ts';
import { ask, firstMarkMs, fromTheFirstMark } from '../race/record-race.ts';
import { guardOf } from '../scenario.ts';
import { createEvent } from '../target.ts';

/** The files of the strategies: each exports the broken one and the right one. */
export const strategyFile = (name: string): string =>
  fileURLToPath(new URL(`../../pitfalls/${name}.ts`, import.meta.url));

/**
 * Where a pitfall is played: one event, a few buyers, and gates at which each of them waits until the script lets them go
 * on (load/pitfalls/gate.ts). No step is left to chance, and none depends on how fast the machine is.
 */
export interface Stage {
  arena: Arena;
  event: number;
  /** Sends a booking. @returns what they were told, in time */
  send(customer: string, quantity?: number): Promise<string>;
  /** Sends a booking of somebody who waits at the gate. @returns the replica that has it, and what they are told later */
  sendToGate(customer: string, quantity?: number): Promise<{ instanceId: string; told: Promise<string> }>;
  /** Its replica, with all that it has in hand. */
  kill(instanceId: string): Promise<void>;
  openGate(customer: string): Promise<void>;
  /** The next one may have the lock. */
  untilLeaseEnded(): Promise<void>;
  /** Whoever holds the lock does so until they give it back: this lease is not what the pitfall is about. */
  keepLease(): Promise<void>;
  /** Somebody has found that others hold the lock. */
  untilWaits(customer: string): Promise<void>;
}

export interface PlayedStage extends Stage, AsyncDisposable {
  recorded(tickets: number, command: string): Promise<Race>;
}

// Everything that is waited for happens at once, but on a machine that is busy.
const WITHIN_MS = 8_000;
const POLL_MS = 5;

export async function openStage(arena: Arena, strategy: string, tickets: number): Promise<PlayedStage> {
  const event = await createEvent(arena.target, strategy, tickets);
  const url = new URL(guardOf(strategy).path(event), arena.target.url);
  const redis = new Redis(arena.stack.redisUrl, { commandTimeout: 5_000 });
  const agent = new Agent({ connections: 16, pipelining: 1 });
  const startedAt = new Date().toISOString();
  const before = new Set((await arena.replicas.marks()).map(({ requestId }) => requestId));
  const asked: { customer: string; answered: Promise<RaceBuyer> }[] = [];
  const pauses: Pause[] = [];
  const lock = `pitfall-lock:${event}`;

  async function until(what: string, isTrue: () => Promise<boolean>): Promise<void> {
    const giveUpAtMs = performance.now() + WITHIN_MS;
    while (!(await isTrue())) {
      if (performance.now() > giveUpAtMs) throw new UserError(`${strategy}: ${what} did not happen in time`);
      await sleep(POLL_MS, undefined, { signal: arena.signal });
    }
  }

  function send(customer: string, quantity = 1): Promise<string> {
    const answered = ask(agent, url, { customer, quantity });
    asked.push({ customer, answered });
    return answered.then(({ outcome }) => outcome ?? 'nothing');
  }

  async function recorded(ofTickets: number, command: string): Promise<Race> {
    const answered = await Promise.all(asked.map(({ answered }) => answered));
    const buyers = await Promise.all(answered.map(withMarksOfLog));
    const firstMs = firstMarkMs(buyers);
    const truth = await arena.oracle.read(event);
    if (!truth) throw new UserError(`event ${event} vanished from Postgres`);
    return {
      format: 'lastseat-race/1',
      strategy,
      event,
      tickets: ofTickets,
      raceWindowMs: 0,
      rows: truth.rows.length,
      available: truth.available,
      startedAt,
      command,
      buyers: fromTheFirstMark(buyers),
      pauses: pauses.map(({ instance, fromMs }) => ({ instance, fromMs: fromMs - firstMs, toMs: null })),
    };
  }

  /** Of one that was killed in the middle of it the log tells how far it had come. */
  async function withMarksOfLog(buyer: RaceBuyer): Promise<RaceBuyer> {
    if (buyer.marks.length > 0) return buyer;
    const logged = (await arena.replicas.marks()).filter(({ requestId }) => !before.has(requestId));
    const cutOff = [...Map.groupBy(logged, ({ requestId }) => requestId).values()].find(
      (marks) => !marks.some(({ mark }) => mark === 'answered'),
    );
    if (cutOff === undefined) return buyer;
    const marks = cutOff.map(({ mark, atMs, value = null }) => ({ name: mark, atMs, value }));
    return { ...buyer, instance: cutOff[0]?.instanceId ?? null, marks };
  }

  const gate = (customer: string): string => `gate:${event}:${customer}`;
  return {
    arena,
    event,
    send,
    async sendToGate(customer, quantity) {
      await redis.set(gate(customer), 'closed', 'EX', 60);
      const told = send(customer, quantity);
      let instanceId: string | null = null;
      await until(`that ${customer} comes to the gate`, async () => {
        instanceId = await redis.get(`${gate(customer)}:here`);
        return instanceId !== null;
      });
      return { instanceId: instanceId ?? '', told };
    },
    async kill(instanceId) {
      await arena.replicas.kill(instanceId);
      pauses.push({ instance: instanceId, fromMs: onMachineClock(performance.now()), toMs: null });
    },
    async openGate(customer) {
      await redis.del(gate(customer));
    },
    untilLeaseEnded: () => until('the end of the lease', async () => (await redis.exists(lock)) === 0),
    async keepLease() {
      await redis.pexpire(lock, 60_000);
    },
    untilWaits: (customer) =>
      until(`that ${customer} waits`, async () => (await redis.exists(`waits:${event}:${customer}`)) === 1),
    recorded,
    async [Symbol.asyncDispose]() {
      redis.disconnect();
      await agent.destroy();
    },
  };
}
