import { once } from 'node:events';
import { createServer } from 'node:net';

import { createFaultyWire, type FaultyWire } from './faulty-wire.ts';
import { freePort } from './free-port.ts';

/** A TCP proxy that misbehaves on demand: one faulty wire, and a port that leads to it. */
export interface FaultProxy extends Omit<FaultyWire, 'carry' | 'heal'>, AsyncDisposable {
  readonly port: number;
  /** The same address as `target`, but through the proxy. */
  through(target: string): string;
  /** New connections go to the server at that port from now on, as an address does that follows a failover. */
  pointTo(port: number): void;
  /** Resets all connections and refuses new ones until heal(). */
  refuse(): Promise<void>;
  /** Ends all faults. Silent connections are reset. */
  heal(): Promise<void>;
}

/** Stands in front of a server on this machine, at a port that it chooses itself unless told otherwise. */
export async function startFaultProxy(targetPort: number, ownPort?: number): Promise<FaultProxy> {
  let pointsTo = targetPort;
  const { carry, ...wire } = createFaultyWire(() => ({ host: '127.0.0.1', port: pointsTo }));
  const server = createServer({ allowHalfOpen: true, noDelay: true }, carry);
  const port = ownPort ?? (await freePort());
  await listen();

  async function listen() {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  }

  async function refuse() {
    const closed = server.listening ? once(server, 'close') : null;
    server.close();
    wire.cut('reset');
    await closed;
  }

  return {
    ...wire,
    port,
    through(target) {
      const url = new URL(target);
      url.hostname = '127.0.0.1';
      url.port = String(port);
      return url.href;
    },
    pointTo(port) {
      pointsTo = port;
    },
    refuse,
    async heal() {
      wire.heal();
      if (!server.listening) await listen();
    },
    async [Symbol.asyncDispose]() {
      await refuse();
    },
  };
}
