import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';

/**
 * The connections of somebody to a server, which misbehave on demand. It knows no protocol: a "request" is what the client
 * sent, a "reply" what the server sent, chunk by chunk as they arrive.
 */
export interface FaultyWire {
  /** Carries what a client has opened to the server and back, until one of them ends it. */
  carry(client: Socket): void;
  /** Adds latency from now on, each way; order is kept. */
  delay(latency: Latency): void;
  /** Ends all present connections: `reset` (RST, as after a crash) or `end` (FIN, as after an orderly exit). */
  cut(how?: 'reset' | 'end'): void;
  /** Lets nothing through, either way, without a word; what was sent meanwhile arrives after heal(). */
  blackHole(): void;
  /**
   * Lets the next `count` requests through to the server, waits until it has begun to answer, and loses the answer:
   * the work is done and the client cannot know it. The connection cannot be used any more after that (a later
   * answer would be taken for the lost one), so it is reset, or kept open in silence.
   * Answers to earlier requests that are still under way on that connection are lost too, as on a broken wire.
   */
  dropReplies(count?: number, options?: DropOptions): Dropping;
  /** Ends all faults. Silent connections are reset. */
  heal(): void;
}

export interface Latency {
  requestMs?: number;
  replyMs?: number;
}

export interface DropOptions {
  /** Which requests; default: every one. */
  matching?: (request: Buffer) => boolean;
  afterwards?: 'reset' | 'silence';
}

export interface Dropping {
  /** The requests whose replies were lost so far. */
  readonly dropped: readonly Buffer[];
  /** Settles when all of them were. */
  readonly done: Promise<void>;
}

interface Faults {
  requestMs: number;
  replyMs: number;
  blackHole: boolean;
  /** Called with each request; returns what to do when its reply arrives, or null to let it pass. */
  onRequest: ((request: Buffer) => DropRule | null) | null;
}

interface DropRule {
  afterwards: 'reset' | 'silence';
  lost(): void;
}

/** To the server that `target` names at the moment when a connection is opened. */
export function createFaultyWire(target: () => { host: string; port: number }): FaultyWire {
  const faults: Faults = { requestMs: 0, replyMs: 0, blackHole: false, onRequest: null };
  const pairs = new Set<Pair>();

  return {
    carry(client) {
      const pair = joinToServer(client, target(), faults);
      pairs.add(pair);
      pair.closed.then(
        () => pairs.delete(pair),
        () => {},
      );
    },
    delay({ requestMs = 0, replyMs = 0 }) {
      Object.assign(faults, { requestMs, replyMs });
    },
    cut(how = 'reset') {
      for (const pair of pairs) pair.cut(how);
    },
    blackHole() {
      faults.blackHole = true;
    },
    dropReplies(count = 1, { matching = () => true, afterwards = 'reset' } = {}) {
      const dropped: Buffer[] = [];
      const { promise: done, resolve } = Promise.withResolvers<void>();
      let remaining = count;
      faults.onRequest = (request) => {
        if (remaining === 0 || !matching(request)) return null;
        remaining -= 1;
        return {
          afterwards,
          lost() {
            dropped.push(request);
            if (dropped.length === count) resolve();
          },
        };
      };
      return { dropped, done };
    },
    heal() {
      Object.assign(faults, { requestMs: 0, replyMs: 0, blackHole: false, onRequest: null } satisfies Faults);
      for (const pair of pairs) pair.heal();
    },
  };
}

interface Pair {
  closed: Promise<unknown>;
  cut(how: 'reset' | 'end'): void;
  heal(): void;
}

/** One client's connection and the one to the server that belongs to it. */
function joinToServer(client: Socket, server: { host: string; port: number }, faults: Faults): Pair {
  const target = connect({ ...server, allowHalfOpen: true, noDelay: true });
  let awaitedReply: DropRule | null = null;
  let silent = false;

  const requests = pump(client, target, {
    delayMs: () => faults.requestMs,
    blocked: () => faults.blackHole || silent,
    pass(request) {
      awaitedReply ??= faults.onRequest?.(request) ?? null;
      return true;
    },
  });
  const replies = pump(target, client, {
    delayMs: () => faults.replyMs,
    blocked: () => faults.blackHole || silent,
    pass() {
      if (awaitedReply === null) return true;
      if (awaitedReply.afterwards === 'reset') cut('reset');
      else silent = true;
      awaitedReply.lost();
      return false;
    },
  });

  // What ends one side for good ends the other in the same way; an orderly end travels through the pumps instead.
  for (const [socket, other] of [
    [client, target],
    [target, client],
  ] as const) {
    socket.once('error', () => reset(other));
    socket.once('close', () => {
      if (!socket.readableEnded) reset(other);
    });
  }

  function cut(how: 'reset' | 'end') {
    for (const socket of [client, target]) {
      if (how === 'reset') reset(socket);
      else socket.end(() => socket.destroy());
    }
  }

  return {
    closed: once(client, 'close').catch(() => {}),
    cut,
    heal() {
      if (silent) return cut('reset');
      requests.proceed();
      replies.proceed();
    },
  };
}

/** As after a crash of whoever is at the other end. */
export function reset(socket: Socket): void {
  if (socket.connecting) socket.destroy();
  else if (!socket.destroyed) socket.resetAndDestroy();
}

// A frozen direction keeps this many chunks and then stops reading; the kernel's buffers fill next, and the sender
// waits, as on a real network.
const maxQueuedChunks = 1_024;

/** Carries chunks one way, in order, each after its delay. */
function pump(
  from: Socket,
  to: Socket,
  rules: { delayMs(): number; blocked(): boolean; pass(chunk: Buffer): boolean },
): { proceed(): void } {
  const queue: { chunk: Buffer | null; dueAt: number }[] = []; // null: the end
  let timer: NodeJS.Timeout | undefined;

  from.on('data', (chunk: Buffer) => enqueue(chunk));
  from.once('end', () => enqueue(null));
  from.once('close', () => clearTimeout(timer));

  function enqueue(chunk: Buffer | null) {
    queue.push({ chunk, dueAt: performance.now() + rules.delayMs() });
    if (queue.length >= maxQueuedChunks) from.pause();
    proceed();
  }

  function proceed() {
    clearTimeout(timer);
    while (!rules.blocked()) {
      const next = queue[0];
      if (next === undefined) {
        from.resume();
        return;
      }
      const waitMs = next.dueAt - performance.now();
      if (waitMs > 0) {
        timer = setTimeout(proceed, waitMs);
        return;
      }
      queue.shift();
      if (to.destroyed) return;
      if (next.chunk === null) to.end();
      else if (rules.pass(next.chunk)) to.write(next.chunk);
    }
  }

  return { proceed };
}
