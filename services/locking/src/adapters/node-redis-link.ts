import type { ConnectionState, Link, LinkEvent } from '../client/port.ts';
import { retryDelayMs } from '../retry-delay.ts';
import { createLinkListeners, handshakeTimeoutMs } from './connections.ts';

/** What a client and a cluster of redis have in common. */
export interface AnyClient {
  readonly isOpen: boolean;
  connect(): Promise<unknown>;
  destroy(): void;
  on(event: string, listener: () => void): unknown;
  subscribe(channel: string, listener: (message: string) => void): Promise<unknown>;
}

/** How a client and a cluster differ. */
export interface Kind<C> {
  /** Of one that has connected. */
  isReady(client: C): boolean;
  /** Whether it tries to connect until it succeeds, and has events for what becomes of the connection. */
  readonly tells: boolean;
  /** Whether it is open and yet cannot reach all that it should. */
  isBroken(client: C): boolean;
}

export interface Source<C> {
  readonly client: () => C;
  readonly link: Link;
}

/** Whether a client of our own was given up. It must not connect any more then. */
export interface Life {
  over: boolean;
}

export interface Renewal<C> {
  make(life: Life): C;
  readonly replyTimeoutMs: number;
}

/** How often it is looked whether a cluster is broken. If it is twice in a row, it is made anew. */
const lookMs = 1_000;

/**
 * @param from the client of the program, or how to make one of our own: then another one is made when it does not answer
 */
export function createLink<C extends AnyClient>(kind: Kind<C>, from: C | Renewal<C>): Source<C> {
  const renewal = 'make' in from ? from : undefined;
  const listeners = createLinkListeners();
  let life: Life = { over: false };
  let client = 'make' in from ? from.make(life) : from;
  let opened = client.isOpen;
  let connected = client.isOpen;
  let closed = false;
  let closes = 0;
  let failures = 0;
  let wasBroken = false;
  let timer: NodeJS.Timeout | undefined;

  function tell(event: LinkEvent): void {
    if (event === 'close') closes += 1;
    listeners.tell(event);
  }

  function listenTo(one: C, lifeOfOne: Life): void {
    // An error without a listener would end the process. Whether the program wants that of its own client is its business.
    if (renewal !== undefined) one.on('error', () => undefined);
    if (!kind.tells) return;
    const on = (event: string, listener: () => void) =>
      one.on(event, () => {
        if (one === client) listener();
      });
    // Destroyed before, it would go on to connect, in some versions of the library.
    one.on('connect', () => {
      if (lifeOfOne.over && one.isOpen) one.destroy();
    });
    on('connect', () => {
      connected = true;
      beReadyInTime();
    });
    on('ready', () => {
      opened = true;
      clearTimeout(timer);
      tell('ready');
    });
    // A failed attempt, the end of a connection, the end of the client (by whoever owns it, or since it gives up).
    for (const event of ['reconnecting', 'end', 'terminated']) {
      on(event, () => {
        connected = false;
        clearTimeout(timer);
        tell('close');
      });
    }
  }

  function beReadyInTime(): void {
    if (renewal === undefined) return;
    clearTimeout(timer);
    timer = setTimeout(renew, handshakeTimeoutMs(renewal.replyTimeoutMs));
  }

  function connect(): void {
    const one = client;
    const attempt = one.connect();
    if (kind.tells) {
      // It tries again by itself.
      attempt.catch(() => undefined);
      return;
    }
    beReadyInTime();
    attempt.then(
      () => {
        if (one !== client || closed) return;
        connected = true;
        failures = 0;
        clearTimeout(timer);
        if (renewal !== undefined) timer = setInterval(look, lookMs).unref();
        tell('ready');
      },
      () => {
        if (one !== client || closed || renewal === undefined) return;
        clearTimeout(timer);
        timer = setTimeout(renew, retryDelayMs(failures));
        failures += 1;
        tell('close');
      },
    );
  }

  function look(): void {
    const isBroken = kind.isBroken(client);
    if (isBroken && wasBroken) renew();
    wasBroken = isBroken;
  }

  function renew(): void {
    if (renewal === undefined || closed) return;
    end();
    life = { over: false };
    client = renewal.make(life);
    listenTo(client, life);
    tell('close');
    connect();
  }

  function end(): void {
    clearTimeout(timer);
    life.over = true;
    if (client.isOpen && (connected || !kind.tells)) client.destroy();
    connected = false;
  }

  function stateNow(): ConnectionState {
    if (closed) return 'ended';
    if (client.isOpen && (connected || renewal === undefined) && kind.isReady(client)) return 'ready';
    if (renewal === undefined && opened && !client.isOpen) return 'ended';
    if (closes > 0) return 'broken';
    return opened ? 'opening' : 'idle';
  }

  const link: Link = {
    get state() {
      return stateNow();
    },
    get closes() {
      return closes;
    },
    open() {
      if (opened || closed) return;
      opened = true;
      if (!client.isOpen) connect();
    },
    reconnect: renew,
    close() {
      if (renewal === undefined || closed) return;
      closed = true;
      end();
    },
    on: listeners.on,
  };
  listenTo(client, life);
  return { client: () => client, link };
}
