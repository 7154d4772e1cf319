import type { ClientPort } from '../client/port.ts';
import { retryDelayMs } from '../retry-delay.ts';
import type { Timer, Timers } from '../timers.ts';

/** One channel, on a connection of its own. */
export interface Subscription {
  /** Whether messages reach us, as far as we know. */
  readonly listening: boolean;
  open(): void;
  /** To be called while a message is hoped for: now and then it finds out whether one would come. */
  probe(): void;
  /** To be called when another server may be asked from now on than before: finds out whether we are known there. */
  follow(): void;
  close(): void;
}

/** Messages are believed to come for so long after it was looked at. */
const trustedMs = 5_000;

/** What we send to ourselves, to see whether it comes. */
const check = 'check';

/** Behind a proxy that sends subscriptions to another server than questions, new connections do not help: the longest pause. */
const rarestMs = 10_000;

/**
 * After a failover behind one address questions go to another server, and the subscription may still be with the old one.
 * Its connection works, but no message comes over it. So it does not help to ask on that connection. Instead we send a
 * message to ourselves as everybody else does: over the connection for questions.
 *
 * @param publish sends a message to the channel by that way, and tells how many of the same server hear it
 */
export function createSubscription(
  client: ClientPort,
  timers: Timers,
  timeoutMs: number,
  channel: string,
  publish: (message: string) => Promise<number>,
  { onMessage, onListening }: { onMessage: (message: string) => void; onListening: () => void },
): Subscription {
  const { clock } = timers;
  const settings = { name: 'lock-messages', replyTimeoutMs: timeoutMs };
  const subscriber = client.connectSubscriber(settings, (message) => {
    heard = true;
    timers.disarm(unanswered);
    if (message !== check) onMessage(message);
  });
  let listening = false;
  let checkedMs = -Infinity;
  /** Whether what was sent by the last check has come. */
  let heard = false;
  /** Checks that did not find us, one after the other. */
  let failures = 0;

  /** No answer, or no message. */
  const unanswered: Timer = { atMs: 0, slot: -1, fire: () => subscriber.link.reconnect() };
  /** The server that answers questions knows no subscriber of our channel. */
  const elsewhere: Timer = { atMs: 0, slot: -1, fire: () => subscriber.link.reconnect() };

  subscriber.link.on('ready', () => void subscribe());
  subscriber.link.on('close', stop);

  async function subscribe(): Promise<void> {
    if (!client.isCluster) timers.arm(unanswered, clock.now() + timeoutMs);
    try {
      await subscriber.subscribe(channel);
    } catch {
      // Cut off again, or not permitted: then `listening` stays false, which whoever waits is told.
      return;
    } finally {
      timers.disarm(unanswered);
    }
    listening = true;
    onListening();
    void verify();
  }

  async function verify(): Promise<void> {
    // (A cluster looks after its connections itself, and its nodes do not count each other's subscribers.)
    if (!listening || client.isCluster) return;
    const sentAtMs = clock.now();
    checkedMs = sentAtMs;
    heard = false;
    let receivers: number;
    try {
      receivers = await publish(check);
    } catch {
      // It says nothing about this connection. When the other one stands again, this is looked at anew.
      return;
    }
    if (!listening || checkedMs !== sentAtMs) return;
    if (receivers === 0) {
      timers.arm(elsewhere, clock.now() + retryDelayMs(failures, { longestMs: rarestMs }));
      failures += 1;
    } else {
      failures = 0;
      if (!heard) timers.arm(unanswered, clock.now() + timeoutMs);
    }
  }

  function stop(): void {
    listening = false;
    timers.disarm(unanswered);
    timers.disarm(elsewhere);
  }

  return {
    get listening() {
      return listening;
    },
    open: () => subscriber.link.open(),
    probe() {
      if (clock.now() - checkedMs >= trustedMs) void verify();
    },
    follow: () => void verify(),
    close() {
      stop();
      subscriber.link.close();
    },
  };
}
