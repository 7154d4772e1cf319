import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { Socket } from 'node:net';

import { freePort } from './free-port.ts';

/**
 * A TCP proxy that misbehaves on demand. It knows no protocol: a "request" is what the client sent, a "reply" what
 * the server sent, chunk by chunk as they arrive.
 */
export interface FaultProxy extends AsyncDisposable {
  readonly port: number;
  /** The same address as `target`, but through the proxy. */
  through(target: string): string;
  /** Connections that are open now. */
  readonly connections: number;
  /** Adds latency from now on, each way; order is kept. */
  delay(latency: { requestMs?: number; replyMs?: number }): void;
  /** New connections go to the server at that port from now on, as an address does that follows a failover. */
  pointTo(port: number): void;
  /** Ends all present connections: `reset` (RST, as after a crash) or `end` (FIN, as after an orderly exit). */
  cut(how?: 'reset' | 'end'): void;
  /** Resets all connections and refuses new ones until heal(). */
  refuse(): Promise<void>;
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
  heal(): Promise<void>;
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

/** Stands in front of a server on this machine, at a port that it chooses itself unless told otherwise. */
export async function startFaultProxy(targetPort: number, ownPort?: number): Promise<FaultProxy> {
  let pointsTo = targetPort;
  const faults: Faults = { requestMs: 0, replyMs: 0, blackHole: false, onRequest: null };
  const links = new Set<Link>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const link = createLink(client, pointsTo, faults);
    links.add(link);
    link.closed.then(
      () => links.delete(link),
      () => {},
    );
  });
  const port = ownPort ?? (await freePort());
  await listen();

  async function listen() {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  }

  function cut(how: 'reset' | 'end' = 'reset') {
    for (const link of links) link.cut(how);
  }

  async function refuse() {
    const closed = server.listening ? once(server, 'close') : null;
    server.close();
    cut('reset');
    await closed;
  }

  return {
    port,
    through(target) {
      const url = new URL(target);
      url.hostname = '127.0.0.1';
      url.port = String(port);
      return url.href;
    },
    get connections() {
      return links.size;
    },
    delay({ requestMs = 0, replyMs = 0 }) {
      Object.assign(faults, { requestMs, replyMs });
    },
    pointTo(port) {
      pointsTo = port;
    },
    cut,
    refuse,
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
    async heal() {
      Object.assign(faults, { requestMs: 0, replyMs: 0, blackHole: false, onRequest: null } satisfies Faults);
      for (const link of links) link.heal();
      if (!server.listening) await listen();
    },
    async [Symbol.asyncDispose]() {
      await refuse();
    },
  };
}

interface Link {
  closed: Promise<unknown>;
  cut(how: 'reset' | 'end'): void;
  heal(): void;
}

/** One client's connection and the one to the server that belongs to it. */
function createLink(client: Socket, targetPort: number, faults: Faults): Link {
  const target = connect({ port: targetPort, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
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

function reset(socket: Socket) {
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
