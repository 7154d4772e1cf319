import type { Redis } from 'ioredis';

/**
 * Letters between replicas, over Redis's publish and subscribe. A letter may be lost and nobody would know, or come
 * twice after a lost connection; so whatever rests on one needs a time limit, and another way to find out.
 */
export interface Mailbox extends AsyncDisposable {
  /** Where letters to this replica are sent. */
  readonly address: string;
  /**
   * Sends a letter, anything that JSON can hold. All letters to one address that are posted in the same turn of the
   * event loop go out as one message.
   * @returns whether somebody received it; rejects if that is not known
   */
  post(address: string, letter: unknown): Promise<boolean>;
  /** Who reads what arrives; one reader. */
  read(reader: (letter: unknown) => void): void;
}

interface Outgoing {
  letters: unknown[];
  delivery: Promise<boolean>;
}

/** @param redis sends the letters; they arrive over a connection of their own, made from it */
export function openMailbox(redis: Redis, address: string): Mailbox {
  const outgoing = new Map<string, Outgoing>();
  let reader: ((letter: unknown) => void) | undefined;

  // Subscribed by us and not by ioredis, which has nobody to hear of it when that fails: it would end the process.
  const inbox = redis.duplicate({ autoResubscribe: false });
  // Without a listener ioredis would print each failed attempt to connect; the sender says what is wrong.
  inbox.on('error', () => undefined);
  inbox.on('message', (_channel: string, message: string) => {
    for (const letter of readLetters(message)) reader?.(letter);
  });
  inbox.on('ready', () => {
    // If it fails the connection was lost again, and there will be another one.
    inbox.subscribe(channelOf(address)).catch(() => undefined);
  });

  async function send(to: string, letters: readonly unknown[]): Promise<boolean> {
    await Promise.resolve();
    outgoing.delete(to);
    // What is not sent now is certainly not received; sent during an outage, it would be at its end.
    if (redis.status !== 'ready') return false;
    return (await redis.publish(channelOf(to), JSON.stringify(letters))) > 0;
  }

  return {
    address,
    post(to, letter) {
      const open = outgoing.get(to);
      if (open !== undefined) {
        open.letters.push(letter);
        return open.delivery;
      }
      const letters = [letter];
      const delivery = send(to, letters);
      outgoing.set(to, { letters, delivery });
      return delivery;
    },
    read(next) {
      reader = next;
    },
    async [Symbol.asyncDispose]() {
      inbox.disconnect();
    },
  };
}

function channelOf(address: string): string {
  return `mailbox:${address}`;
}

/** A message that is none of ours is ignored. */
function readLetters(message: string): unknown[] {
  try {
    const letters: unknown = JSON.parse(message);
    return Array.isArray(letters) ? letters : [];
  } catch {
    return [];
  }
}
