import { createHash } from 'node:crypto';
import type { Duplex } from 'node:stream';

import type { Alarm, Alarms } from '../alarms.ts';
import type { RedisClient } from '../redis-script.ts';
import { connectAnew, isCluster } from './redis-connections.ts';
import { RefusedError } from './store.ts';

export interface Script {
  readonly name: string;
  readonly text: string;
  readonly sha1: string;
}

export function createScript(name: string, text: string): Script {
  return { name, text, sha1: createHash('sha1').update(text).digest('hex') };
}

/** Script calls over one connection, each of them bounded in time. */
export interface RedisCalls {
  /** Arguments are strings, as turning numbers into strings would cost ioredis more than us. */
  run<T>(
    script: Script,
    keys: readonly string[],
    args: readonly string[],
    read: (reply: unknown) => T,
  ): Promise<T>;
  /** Rejects all calls under way, and all later ones. */
  close(): void;
}

interface Call {
  readonly script: Script;
  readonly keys: readonly string[];
  readonly args: readonly string[];
  readonly sinceMs: number;
  /** Reads the reply, and resolves with what it says. */
  readonly resolve: (reply: unknown) => void;
  readonly reject: (error: unknown) => void;
  sent: boolean;
}

/**
 * A connection that is silent for so long, though asked, is given up and made anew: behind a firewall that has
 * forgotten it, it would stay silent for a quarter of an hour. Not sooner, because a server that only hangs goes on
 * to execute what the old connection has sent, after what the new one sends.
 */
const deadConnectionMs = 10_000;

/**
 * What this adds to ioredis, whose queues have no limit in time:
 * - a call that cannot be sent now waits here, no longer than its time-out, and is then never sent;
 * - a call whose connection closes is rejected then and there, and not sent again by anybody but its caller;
 * - one alarm for all calls: they have the same time-out, so the oldest of them is the first to reach it.
 *
 * The connection must be one that neither queues nor re-sends by itself (see `duplicateFor`).
 */
export function createRedisCalls(
  connection: RedisClient,
  alarms: Alarms,
  timeoutMs: number,
  onRoundTrip?: (script: string, tookMs: number) => void,
): RedisCalls {
  const { clock } = alarms;
  const calls = new Set<Call>();
  let lastReplyMs = clock.now();
  let closed = false;
  let gathering = false;

  const timeout: Alarm = {
    atMs: 0,
    slot: -1,
    ring() {
      const now = clock.now();
      for (const call of calls) {
        if (call.sinceMs + timeoutMs > now) {
          alarms.set(timeout, call.sinceMs + timeoutMs);
          return;
        }
        const silent = call.sent && lastReplyMs < call.sinceMs;
        fail(call, new Error(call.sent ? `no reply within ${timeoutMs} ms` : notConnected()));
        if (silent && now - lastReplyMs > deadConnectionMs) reconnect();
      }
    },
  };

  connection.on('ready', () => {
    lastReplyMs = clock.now();
    for (const call of calls) if (!call.sent) send(call);
  });
  connection.on('close', () => {
    for (const call of calls) if (call.sent) fail(call, new Error('the connection to Redis was closed'));
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
  function gather(): void {
    const stream = streamOf(connection);
    if (gathering || stream === undefined) return;
    gathering = true;
    stream.cork();
    process.nextTick(() => {
      gathering = false;
      stream.uncork();
    });
  }

  function send(call: Call): void {
    gather();
    call.sent = true;
    const { script, keys, args } = call;
    connection.evalsha(script.sha1, keys.length, ...keys, ...args).then(
      (reply) => succeed(call, reply),
      (error: Error) => {
        if (!error.message.startsWith('NOSCRIPT')) return fail(call, error);
        // One that has been given up must not be executed now, after what its caller has sent since.
        if (!calls.has(call)) return undefined;
        return connection.eval(script.text, keys.length, ...keys, ...args).then(
          (reply) => succeed(call, reply),
          (evalError: Error) => fail(call, evalError),
        );
      },
    );
  }

  function succeed(call: Call, reply: unknown): void {
    lastReplyMs = clock.now();
    if (!calls.delete(call)) return;
    onRoundTrip?.(call.script.name, lastReplyMs - call.sinceMs);
    call.resolve(reply);
  }

  function fail(call: Call, error: Error): void {
    if (!calls.delete(call)) return;
    call.reject(isRefusal(error) ? new RefusedError(error.message, { cause: error }) : error);
  }

  return {
    run(script, keys, args, read) {
      return new Promise((settle, reject) => {
        if (closed) {
          reject(new RefusedError('this lock service was closed'));
          return;
        }
        const resolve = (reply: unknown) => settle(read(reply));
        const call: Call = { script, keys, args, sinceMs: clock.now(), resolve, reject, sent: false };
        calls.add(call);
        if (!alarms.isSet(timeout)) alarms.set(timeout, call.sinceMs + timeoutMs);
        if (isWritable(connection)) send(call);
      });
    },
    close() {
      closed = true;
      alarms.clear(timeout);
      for (const call of calls) fail(call, new RefusedError('this lock service was closed'));
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

function isRefusal(error: Error): boolean {
  return /^(NOAUTH|NOPERM|WRONGTYPE|ERR) /.test(error.message);
}
