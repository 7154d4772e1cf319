import { randomNumbers } from '../lab-frame/random.ts';
import { book } from '../services/booking/src/booking/book.ts';
import { cancel } from '../services/booking/src/booking/cancel.ts';
import type { BookingRequest, Outcome } from '../services/booking/src/booking/strategy.ts';
import type { StoredBooking } from '../services/booking/src/storage/bookings.ts';
import {
  CommitUnknownError,
  PostgresBusyError,
  PostgresUnavailableError,
} from '../services/booking/src/storage/failure.ts';
import { readStockNow } from '../services/booking/src/storage/held-stock.ts';
import { REQUEST_DEADLINE_MS } from '../services/booking/src/time-limits.ts';
import type { Lease } from '../services/locking/src/lock.ts';
import type { Answer, History, LeaseGiven, Operation } from './history.ts';
import { createPostgres } from './models/postgres.ts';
import { createRedis } from './models/redis.ts';
import { type Ask, type Fault, LOSES_LOCKS, type Plan } from './plan.ts';
import { QUEUE_SETTINGS, type Replica, startReplica } from './replica.ts';
import { takeThePlaceOfNode } from './world/in-place-of-node.ts';
import { createNetwork } from './world/network.ts';
import { createScheduler, type Process } from './world/scheduler.ts';

/** By then everything has ended by itself: a request, what it has left behind in Postgres, and a lease. */
const LASTS_MS = 60_000;
/** What a buyer waits for an answer. */
const PATIENCE_MS = 10_000;
const RESTART_MS = 400;

/** Plays a history from its plan. @param onLine told of each line of its trace */
export async function play(plan: Plan, onLine?: (line: string) => void): Promise<History> {
  const scheduler = createScheduler(randomNumbers(plan.seed), onLine);
  using _ = takeThePlaceOfNode(scheduler);
  const network = createNetwork(scheduler, plan.weather);
  const buyers = scheduler.newProcess('buyers');
  const operations: Operation[] = [];
  const leases: LeaseGiven[] = [];
  const held = new Set<{ lease: Lease; replica: Replica }>();
  const breaches: string[] = [];
  const breach = (what: string) => {
    scheduler.tell(() => `BROKEN: ${what}`);
    breaches.push(what);
  };

  const losesLocks = plan.faults.some(({ do: what }) => LOSES_LOCKS.has(what));
  const lastMinted = new Map<string, number>();
  const postgres = createPostgres(
    scheduler,
    plan.tickets.map((capacity, i) => ({
      event_id: i + 1,
      capacity,
      available: capacity,
      version: 0,
      fence: 0,
      epoch: 1,
      changes: 0,
    })),
  );
  const redis = createRedis(scheduler, QUEUE_SETTINGS, (name, token) => {
    const last = lastMinted.get(name) ?? 0;
    if (!losesLocks && token <= last) breach(`Redis gave token ${token} for ${name} after ${last}`);
    lastMinted.set(name, Math.max(token, last));
  });

  const world = { scheduler, network, postgres, redis, onLease };
  const replicas = Array.from({ length: plan.replicas }, (_, i) => start(`r${i + 1}`));

  function start(name: string): Replica {
    return startReplica(world, name, scheduler.newProcess(name));
  }

  function onLease(lease: Lease, replica: Replica): void {
    const { name, token } = lease;
    scheduler.tell(() => `${replica.name} has a lease of ${name}, token ${token}`);
    for (const other of held) {
      const isOver = other.replica.process.state === 'crashed' || other.lease.signal.aborted;
      if (isOver || other.lease.remainingMs() <= 0) held.delete(other);
      else if (other.lease.name === name && !losesLocks) {
        const released = isReleased(other.lease);
        if (released) held.delete(other);
        else breach(`${replica.name} and ${other.replica.name} both hold ${name}`);
      }
    }
    held.add({ lease, replica });
    leases.push({ name, token, replica: replica.name, atMs: scheduler.nowMs() });
  }

  function replicaOf({ replica }: { replica: number }): Replica {
    return replicas[replica] as Replica;
  }

  const ofAsk = new Map<string, Operation>();

  function ask(one: Ask): void {
    const of = one.of === null ? null : (ofAsk.get(one.of) ?? null);
    // Nobody takes back what they do not have.
    if (one.do === 'cancel' && of?.answer.is !== 'booked') return;
    const operation = begin(one.id, one.do, one, of);
    ofAsk.set(one.id, operation);
    if (one.do === 'book') send(operation, (replica) => bookAt(replica, operation, false));
    else if (one.do === 'cancel') send(operation, (replica) => cancelAt(replica, operation));
    else send(operation, (replica) => readAt(replica, operation));
  }

  function begin(id: string, what: Operation['do'], one: Ask, of: Operation | null): Operation {
    const operation: Operation = {
      id,
      do: what,
      eventId: one.eventId,
      quantity: of?.quantity ?? one.quantity,
      bookingId: of?.bookingId ?? `booking-${id}`,
      requestId: `request-${one.id}`,
      replica: replicaOf(one).name,
      of,
      startMs: scheduler.nowMs(),
      endMs: Infinity,
      answer: { is: 'unknown', why: 'no answer' },
      isOrphan: false,
    };
    operations.push(operation);
    return operation;
  }

  /** From a buyer to a replica and back. */
  function send(operation: Operation, run: (replica: Replica) => Promise<Answer>): void {
    const { id, quantity, eventId } = operation;
    const replica = replicas.find(({ name }) => name === operation.replica) as Replica;
    scheduler.tell(() => `${id} asks ${replica.name} to ${operation.do} ${quantity} of event ${eventId}`);
    let isOver = false;
    const end = (answer: Answer): void => {
      if (isOver) return;
      isOver = true;
      operation.answer = answer;
      operation.endMs = scheduler.nowMs();
      scheduler.tell(() => `${id} is told: ${inWords(answer)}`);
      if (answer.is === 'unknown' && operation.do === 'book') mayRepeat(operation);
    };
    scheduler.in(PATIENCE_MS, buyers, () => {
      operation.isOrphan ||= replica.process.state === 'crashed' || replica.process.state === 'paused';
      if (!isOver && !operation.isOrphan) breach(`${id} was not answered within ${PATIENCE_MS} ms`);
      end({ is: 'unknown', why: 'no answer in time' });
    });
    scheduler.in(delayMs(), replica.process, () => {
      run(replica).then(
        (answer) => scheduler.in(delayMs(), buyers, () => end(answer)),
        (error: unknown) => {
          breach(`${id} threw ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
        },
      );
    });
  }

  const delayMs = () => 0.1 + scheduler.random();

  /** A buyer who does not know asks again, at another replica, with the same request. */
  function mayRepeat({ id }: Operation): void {
    if (!scheduler.chance(0.5)) return;
    const first = plan.asks.find((one) => one.id === id);
    if (first === undefined) return;
    const elsewhere = { ...first, replica: (first.replica + 1) % plan.replicas };
    const again = begin(`${id}+`, 'repeat', elsewhere, null);
    send(again, (replica) => bookAt(replica, again, true));
  }

  async function bookAt(replica: Replica, operation: Operation, mayBeRepeated: boolean): Promise<Answer> {
    const { bookingId, requestId, eventId, quantity } = operation;
    const strategy = replica.strategies.get(plan.strategy);
    if (strategy === undefined) throw new Error(`there is no strategy ${plan.strategy}`);
    const now = scheduler.nowMs();
    const request: BookingRequest = {
      arrivedAtMs: now,
      bookingId,
      requestId,
      mayBeRepeated,
      idempotencyKey: null,
      eventId,
      quantity,
      holdS: null,
      customer: 'anonymous',
      raceWindowMs: 0,
      deadlineMs: now + REQUEST_DEADLINE_MS,
      signal: new AbortController().signal,
    };
    return answerOf(await book(strategy, request));
  }

  async function cancelAt({ db }: Replica, { bookingId, eventId }: Operation): Promise<Answer> {
    try {
      const booking = { bookingId, eventId } as StoredBooking;
      const isCancelled = await cancel(db, booking, scheduler.nowMs() + REQUEST_DEADLINE_MS);
      return { is: isCancelled ? 'cancelled' : 'not cancelled' };
    } catch (error) {
      return failureOf(error);
    }
  }

  async function readAt({ db }: Replica, { eventId }: Operation): Promise<Answer> {
    try {
      const stock = await readStockNow(db.until(scheduler.nowMs() + REQUEST_DEADLINE_MS), eventId);
      return { is: 'read', free: stock?.available ?? -1 };
    } catch (error) {
      return failureOf(error);
    }
  }

  function strike(fault: Fault): void {
    const replica = replicaOf(fault);
    const { forMs } = fault;
    scheduler.tell(() =>
      `${fault.id}: ${fault.do} ${isOfReplica(fault) ? `of ${replica.name}` : ''}`.trimEnd(),
    );
    const stop = (process: Process) => {
      scheduler.pause(process);
      scheduler.in(forMs, buyers, () => scheduler.resume(process));
    };
    switch (fault.do) {
      case 'pause':
        return stop(replica.process);
      case 'crash':
        return crash(fault.replica);
      case 'cut-redis':
        return replica.redis.cut();
      case 'deafen':
        return replica.redis.deafen();
      case 'silence-redis':
        return replica.redis.fallSilent();
      case 'cut-postgres':
        return replica.postgres.cut();
      case 'silence-postgres':
        return replica.postgres.fallSilent();
      case 'lose-commit':
        return replica.postgres.loseNextCommit();
      case 'pause-redis':
        return stop(redis.primary.process);
      case 'pause-postgres':
        return stop(postgres.process);
      case 'crash-postgres':
        // A process that is stopped is not restarted by anybody.
        if (postgres.isUp && postgres.process.state === 'runs') postgres.crash(forMs);
        return undefined;
      case 'failover':
        return failOver(fault);
      case 'flush':
        return redis.flush();
    }
  }

  function crash(index: number): void {
    const replica = replicas[index] as Replica;
    scheduler.crash(replica.process);
    replica.postgres.cut();
    replica.redis.cut();
    for (const operation of operations) {
      if (operation.replica === replica.name && operation.endMs === Infinity) operation.isOrphan = true;
    }
    scheduler.in(RESTART_MS, buyers, () => {
      if (replicas[index] === replica) replicas[index] = start(`${replica.name}'`);
    });
  }

  /** Who is connected to the old one learns of it one after another. */
  function failOver({ clockMs }: Fault): void {
    redis.failOver(clockMs);
    for (const replica of replicas) {
      scheduler.in(scheduler.random() * 300, buyers, () => replica.redis.cut());
    }
  }

  for (const one of plan.asks) scheduler.in(one.atMs, buyers, () => ask(one));
  for (const fault of plan.faults) {
    scheduler.in(fault.atMs, buyers, () => strike(fault));
    if (fault.do === 'failover') {
      scheduler.in(Math.max(0, fault.atMs - fault.lagMs), buyers, redis.replicate);
    }
  }
  await scheduler.runUntil(LASTS_MS);
  return {
    plan,
    operations,
    leases,
    breaches,
    stocks: [...postgres.rows.stocks.values()],
    bookings: [...postgres.rows.bookings.values()],
    endedMs: scheduler.nowMs(),
  };
}

/** A lease that was given back does not abort its signal. */
function isReleased(lease: Lease): boolean {
  try {
    lease.assertHeld();
    return false;
  } catch {
    return true;
  }
}

function isOfReplica({ do: what }: Fault): boolean {
  return !/^(pause-|crash-|failover|flush)/.test(what);
}

function answerOf(outcome: Outcome): Answer {
  switch (outcome.code) {
    case 'booked':
      return { is: 'booked', token: outcome.fencingToken };
    case 'booked_before':
      return { is: 'booked before', bookingId: outcome.booking.bookingId };
    case 'sold_out':
      return { is: 'sold out' };
    case 'unknown':
      return { is: 'unknown', why: causeOf(outcome.cause) };
    case 'busy':
    case 'unavailable':
      return { is: 'failed', why: `${outcome.code}: ${outcome.detail} ${causeOf(outcome.cause)}`.trimEnd() };
    case 'all_held':
    case 'customer_required':
    case 'event_not_found':
    case 'idempotency_key_in_use':
    case 'idempotency_key_reused':
    case 'limit_reached':
    case 'not_on_sale':
    case 'request_id_reused':
      return { is: 'failed', why: outcome.code };
  }
}

function failureOf(error: unknown): Answer {
  if (error instanceof CommitUnknownError) return { is: 'unknown', why: error.message };
  if (error instanceof PostgresBusyError || error instanceof PostgresUnavailableError) {
    return { is: 'failed', why: error.message };
  }
  throw error;
}

function causeOf(cause: unknown): string {
  return cause instanceof Error ? `(${cause.message})` : '';
}

function inWords(answer: Answer): string {
  if (answer.is === 'booked') return answer.token === null ? 'booked' : `booked, token ${answer.token}`;
  if (answer.is === 'read') return `${answer.free} free`;
  if (answer.is === 'failed' || answer.is === 'unknown') return `${answer.is}, ${answer.why}`;
  return answer.is;
}
