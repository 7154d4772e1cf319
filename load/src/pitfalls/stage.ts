import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { UserError } from '@lastseat/infra/command-line';
import { Redis } from 'ioredis';
import { Agent } from 'undici';

import type { Arena } from '../faults/arena.ts';
import { partOf, replicaParts } from '../faults/replicas.ts';
import type { Asked, PartPause } from '../race/lanes.ts';
import { liveMarks } from '../race/live-marks.ts';
import type { Race } from '../race/race.ts';
import { ask, raceOf } from '../race/record-race.ts';
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
  const startedAt = new Date();
  const marks = liveMarks(arena.cluster);
  await marks.listenTo((await replicaParts(arena.cluster)).map(({ name }) => name));
  const asked: Promise<Asked>[] = [];
  const pauses: PartPause[] = [];
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
    asked.push(answered);
    return answered.then(({ answer }) => answer?.code ?? 'nothing');
  }

  async function recorded(ofTickets: number, command: string): Promise<Race> {
    return raceOf(arena, marks, {
      strategy,
      event,
      tickets: ofTickets,
      raceWindowMs: 0,
      startedAt,
      command,
      asked: await Promise.all(asked),
      pauses,
    });
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
      const part = await partOf(arena.cluster, instanceId);
      pauses.push({ part, fromMs: performance.now(), toMs: null, isKilled: true });
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
      marks[Symbol.dispose]();
      redis.disconnect();
      await agent.destroy();
    },
  };
}
