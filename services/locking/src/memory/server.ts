import type { QueueMessages } from '../queue/store.ts';
import type { Keys } from './keys.ts';

/**
 * Stands in for a Redis, in the memory of this process. The locks that are made over the same one share their names; each
 * of them stands for a process.
 *
 * What can happen to a Redis can happen to it, so a program's tests see what the program does then.
 */
export interface MemoryServer {
  /** Loses all data, as a Redis that restarts without it. */
  flush(): void;
  /** Loses one lock. Its holder learns so at its next renewal, extension or release. */
  loseLock(name: string): void;
  /** Executes nothing and answers nothing until `recover()`. Whoever asks gives up after `commandTimeoutMs`. */
  fallSilent(): void;
  /** Executes the next `count` questions and answers none of them; resolves when they were executed. */
  loseReplies(count: number): Promise<void>;
  recover(): void;
  /** Another way to the same data: what happens to the network of this one happens to nobody else. */
  link(): MemoryServer;
}

/** What the package itself needs; its users have the interface above. */
export interface MemoryLink extends MemoryServer {
  readonly data: MemoryData;
  readonly isSilent: boolean;
  /** Called by each question that was executed: whether its reply is lost. */
  losesReply(): boolean;
  onRecovery(listener: () => void): void;
}

export interface MemoryData {
  /** By the prefix of the keys, as in Redis. */
  namesOf(keyPrefix: string): Map<string, Keys>;
  /** Who listens to messages, by the name of the client. */
  readonly listeners: Map<string, MessageListener>;
  flush(): void;
  loseLock(name: string): void;
}

export type MessageListener = (deliver: (to: QueueMessages) => void) => void;

export function createMemoryServer(): MemoryServer {
  return createLink(createData());
}

function createData(): MemoryData {
  const prefixes = new Map<string, Map<string, Keys>>();
  return {
    listeners: new Map(),
    namesOf(keyPrefix) {
      let names = prefixes.get(keyPrefix);
      if (names === undefined) prefixes.set(keyPrefix, (names = new Map()));
      return names;
    },
    flush() {
      for (const names of prefixes.values()) names.clear();
    },
    loseLock(name) {
      for (const names of prefixes.values()) {
        const keys = names.get(name);
        if (keys !== undefined) keys.lock = undefined;
      }
    },
  };
}

function createLink(data: MemoryData): MemoryLink {
  const recoveries = new Set<() => void>();
  let isSilent = false;
  let toLose = 0;
  let allLost = Promise.withResolvers<void>();

  return {
    data,
    flush: data.flush,
    loseLock: data.loseLock,
    get isSilent() {
      return isSilent;
    },
    fallSilent() {
      isSilent = true;
    },
    loseReplies(count) {
      toLose = count;
      allLost = Promise.withResolvers<void>();
      return allLost.promise;
    },
    losesReply() {
      if (toLose === 0) return false;
      toLose -= 1;
      if (toLose === 0) allLost.resolve();
      return true;
    },
    recover() {
      isSilent = false;
      toLose = 0;
      for (const recovered of recoveries) recovered();
    },
    onRecovery: (listener) => void recoveries.add(listener),
    link: () => createLink(data),
  };
}
