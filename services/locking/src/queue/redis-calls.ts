import { nextTick } from 'node:process';
import type { Duplex } from 'node:stream';

import type { Alarm, Alarms } from '../alarms.ts';
import { isRefusal } from '../redis-errors.ts';
import { closesOf, isCluster, type RedisClient } from '../redis-script.ts';
import { explainWrongType } from '../wrong-type.ts';
import { Call, CallList, type CallOwner, type Read } from './call.ts';
import type { Keys, Operation } from './operation.ts';
import { connectAnew } from './redis-connections.ts';
import { createSender } from './sender.ts';
import { RefusedError } from './store.ts';

/** Calls over one connection, each of them bounded in time. */
export interface RedisCalls {
  run<T>(operation: Operation, keys: Keys, args: readonly string[], read: Read<T>): Promise<T>;
  /**
   * To be called just before a call that sends a message to somebody else: lets that message go out before the reply.
   *
   * Redis writes what it has for its clients when it has executed all that it has read, and begins with the client
   * that it last got a first line for. A script's reply comes after its messages, so its caller would be served first,
   * and whoever waits for the message later by one write, and by all that the caller then does with the processor. A
   * PING ahead in the same write makes the caller the client that has its first line already. (With two processes that
   * take turns on two cores this saves a quarter of the time of a hand-over.)
   */
  messagesFirst(): void;
  /** Rejects all calls under way, and all later ones. */
  close(): void;
}

/**
 * A connection that is silent for so long, though asked, is given up and made anew: behind a firewall that has
 * forgotten it, it would stay silent for a quarter of an hour. Not sooner, because a server that only hangs goes on
 * to execute what the old connection has sent, after what the new one sends.
 */
const deadConnectionMs = 10_000;

/**
 * How many calls may be under way at once; the others wait here until replies come in. Sent all at once, ten thousand
 * calls would keep each other waiting for longer than their time-out, and Redis would be taken for silent while it
 * answers as fast as it can. So many take it some hundredths of a second, and are more than it takes to keep it busy.
 */
const maxUnderWay = 1_000;

/** A call that waits here while Redis answers others, however slowly, is given up after that many time-outs. */
const longestWaitTimeouts = 10;

/**
 * What this adds to ioredis, whose queues have no limit in time or size:
 * - a call that cannot be sent now waits here, for as long as others are answered meanwhile, but not for longer than
 *   its time-out if there is silence, and is then never sent;
 * - a call that was sent has its time-out from then on;
 * - a call whose connection closes is rejected then and there, and not sent again by anybody but its caller
 *   (a cluster does send it again: then whoever reads the reply is told that it may have run twice);
 * - one alarm for all calls: they have the same time-out, so the oldest of them is the first to reach it.
 *
 * The connection must be one that neither queues nor re-sends by itself (see `duplicateFor`).
 */
export function createRedisCalls(
  connection: RedisClient,
  alarms: Alarms,
  timeoutMs: number,
  onRoundTrip?: (script: string, tookMs: number) => void,
  keyTypes: readonly (readonly string[])[] = [],
): RedisCalls {
  const { clock } = alarms;
  const send = createSender(connection);
  const connections = closesOf(connection);
  const waiting = new CallList();
  const underWay = new CallList();
  let lastReplyMs = clock.now();
  let closed = false;
  let sending = false;
  let messagesGoFirst = false;

  const timeout: Alarm = {
    atMs: 0,
    slot: -1,
    ring() {
      const now = clock.now();
      for (let call = underWay.first; call !== undefined && dueMs(call) <= now; call = underWay.first) {
        const silent = lastReplyMs < call.sentMs;
        owner.fail(call, new Error(`no reply within ${timeoutMs} ms`));
        if (silent && now - lastReplyMs > deadConnectionMs) reconnect();
      }
      for (let call = waiting.first; call !== undefined && dueMs(call) <= now; call = waiting.first) {
        owner.fail(call, new Error(isWritable(connection) ? 'too many calls under way' : notConnected()));
      }
      const [sent, unsent] = [underWay.first, waiting.first];
      const nextMs = Math.min(sent ? dueMs(sent) : Infinity, unsent ? dueMs(unsent) : Infinity);
      if (nextMs !== Infinity) alarms.set(timeout, nextMs);
    },
  };

  function dueMs({ list, sinceMs, sentMs }: Call): number {
    if (list === underWay) return sentMs + timeoutMs;
    return Math.min(Math.max(sinceMs, lastReplyMs) + timeoutMs, sinceMs + longestWaitTimeouts * timeoutMs);
  }

  const owner: CallOwner = {
    succeed(call, reply) {
      lastReplyMs = clock.now();
      if (call.list === undefined) return;
      end(call);
      onRoundTrip?.(call.operation.name, lastReplyMs - call.sentMs);
      call.resolve(reply, connections.closes !== call.closesBefore);
    },
    fail(call, error) {
      // One that has been given up must not be executed now, after what its caller has sent since.
      if (call.list === undefined) return;
      if (error.message.startsWith('NOSCRIPT')) {
        send(call, 'eval');
        return;
      }
      const reply = call.operation.replyOf(error);
      if (reply !== undefined) {
        owner.succeed(call, reply);
        return;
      }
      end(call);
      if (isRefusal(error)) void refuse(call, error);
      else call.reject(error);
    },
  };

  async function refuse(call: Call, error: Error): Promise<void> {
    const cause = await explainWrongType(error, connection, call.keys.list, keyTypes, timeoutMs);
    call.reject(new RefusedError(cause.message, { cause }));
  }

  function end(call: Call): void {
    call.list?.remove(call);
    if (waiting.first !== undefined) sendSoon();
  }

  connection.on('ready', () => {
    lastReplyMs = clock.now();
    sendSoon();
  });
  connection.on('close', () => {
    const error = new Error('the connection to Redis was closed');
    for (let call = underWay.first; call !== undefined; call = underWay.first) owner.fail(call, error);
  });

  function reconnect(): void {
    lastReplyMs = clock.now();
    connectAnew(connection);
  }

  function notConnected(): string {
    return `not connected to Redis (${connection.status})`;
  }

  /**
   * What is sent in one tick goes out in one write: when the replies to several callers come in together, their next
   * questions go out together too. A write costs as much as all the rest of a call, on either side.
   */
  function sendSoon(): void {
    if (sending) return;
    sending = true;
    nextTick(sendWaiting);
  }

  function sendWaiting(): void {
    sending = false;
    if (!isWritable(connection)) return;
    const stream = waiting.size > 1 || messagesGoFirst ? streamOf(connection) : undefined;
    const now = clock.now();
    stream?.cork();
    // (A cluster has many sockets: who knows which one the script will go to?)
    if (messagesGoFirst && stream !== undefined) connection.ping().catch(() => undefined);
    messagesGoFirst = false;
    for (let call = waiting.first; call !== undefined && underWay.size < maxUnderWay; call = waiting.first) {
      waiting.remove(call);
      underWay.push(call);
      call.sentMs = now;
      call.closesBefore = connections.closes;
      send(call, 'evalsha');
    }
    stream?.uncork();
  }

  return {
    run(operation, keys, args, read) {
      if (closed) return Promise.reject(new RefusedError('this lock service was closed'));
      return new Promise((resolve, reject) => {
        const sinceMs = clock.now();
        waiting.push(
          new Call(owner, operation, keys, args, sinceMs, read, resolve as (result: unknown) => void, reject),
        );
        // Alone it has nobody to share a write with, and goes before all that can be done while Redis works on it.
        if (underWay.size === 0 && waiting.size === 1 && !sending) sendWaiting();
        else sendSoon();
        if (!alarms.isSet(timeout)) alarms.set(timeout, sinceMs + timeoutMs);
      });
    },
    messagesFirst() {
      messagesGoFirst = true;
    },
    close() {
      closed = true;
      alarms.clear(timeout);
      const error = new RefusedError('this lock service was closed');
      for (const list of [underWay, waiting]) {
        for (let call = list.first; call !== undefined; call = list.first) owner.fail(call, error);
      }
    },
  };
}

/** A connection that is about to close is `ready` for a moment longer than it can be written to. */
function isWritable(connection: RedisClient): boolean {
  return connection.status === 'ready' && streamOf(connection)?.writable !== false;
}

/** The socket; a cluster has many, and writes to them as it likes. */
function streamOf(connection: RedisClient): Duplex | undefined {
  return isCluster(connection) ? undefined : connection.stream;
}
