import type { Connection, Link, LinkEvent } from '../client/port.ts';
import { retryDelayMs } from '../retry-delay.ts';

// What the adapters have in common, whatever library they are for.

/** At once, then ever slower up to once a second: whoever waits for a lock should not wait for a reconnection too. */
export function reconnectDelayMs(attempt: number): number {
  return retryDelayMs(attempt, { firstMs: 20 });
}

/**
 * How long a connection that was accepted may take to become ready, which the libraries do not bound. Somebody may accept
 * it and never answer: a firewall, or a server that is stopped. It becomes ready after three replies in a row at most: who
 * we are, which protocol, and which database or whether the data is loaded.
 */
export function handshakeTimeoutMs(replyTimeoutMs: number): number {
  return 3 * replyTimeoutMs;
}

export interface LinkListeners {
  readonly on: Link['on'];
  tell(event: LinkEvent): void;
}

export function createLinkListeners(): LinkListeners {
  const listeners: Record<LinkEvent, Set<() => void>> = { ready: new Set(), close: new Set() };
  return {
    on(event, listener) {
      listeners[event].add(listener);
      return () => listeners[event].delete(listener);
    },
    tell(event) {
      for (const listener of listeners[event]) listener();
    },
  };
}

const sharedConnections = new WeakMap<object, Connection>();

/**
 * The connection that all locks over a client of the program share, for as long as that client lives: there is one of them,
 * since its listeners are never removed.
 */
export function sharedConnection(client: object, create: () => Connection): Connection {
  let connection = sharedConnections.get(client);
  if (connection === undefined) {
    connection = create();
    sharedConnections.set(client, connection);
  }
  return connection;
}
