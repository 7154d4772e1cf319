import type { Alarm, Alarms } from '../alarms.ts';
import { isCluster, type RedisClient } from '../redis-script.ts';
import { connectAnew, duplicateFor } from './redis-connections.ts';

/** One channel, on a connection of its own. */
export interface Subscription {
  /** Whether messages reach us, as far as we know. */
  readonly listening: boolean;
  open(): void;
  /** To be called while a message is hoped for: now and then it asks whether the connection is still alive. */
  probe(): void;
  close(): void;
}

/** A connection that was heard from no longer ago than this is believed to be alive. */
const trustedMs = 5_000;

export function createSubscription(
  redis: RedisClient,
  alarms: Alarms,
  timeoutMs: number,
  channel: string,
  { onMessage, onListening }: { onMessage: (message: string) => void; onListening: () => void },
): Subscription {
  const { clock } = alarms;
  const connection = duplicateFor(redis, 'lock-messages', alarms, timeoutMs);
  let listening = false;
  let heardMs = 0;

  connection.on('ready', () => void subscribe());
  connection.on('close', () => {
    listening = false;
    alarms.clear(unanswered);
  });
  connection.on('message', (_channel: string, message: string) => {
    heardMs = clock.now();
    onMessage(message);
  });

  async function subscribe(): Promise<void> {
    expectAnswer();
    try {
      await connection.subscribe(channel);
    } catch {
      // Cut off again, or not permitted: then `listening` stays false, which whoever waits is told.
      alarms.clear(unanswered);
      return;
    }
    answered();
    listening = true;
    onListening();
  }

  const unanswered: Alarm = {
    atMs: 0,
    slot: -1,
    ring: () => connectAnew(connection),
  };

  function expectAnswer(): void {
    if (!isCluster(redis)) alarms.set(unanswered, clock.now() + timeoutMs);
  }

  function answered(): void {
    heardMs = clock.now();
    alarms.clear(unanswered);
  }

  return {
    get listening() {
      return listening;
    },
    open() {
      // Failed attempts are repeated by the connection itself.
      if (connection.status === 'wait') connection.connect().catch(() => undefined);
    },
    probe() {
      // (A cluster looks after its connections itself.)
      if (!listening || alarms.isSet(unanswered) || clock.now() - heardMs < trustedMs || isCluster(redis))
        return;
      expectAnswer();
      connection.ping().then(answered, () => undefined);
    },
    close() {
      listening = false;
      alarms.clear(unanswered);
      connection.disconnect();
    },
  };
}
