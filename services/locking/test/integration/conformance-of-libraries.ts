import type { Server } from '@lastseat/infra/servers';
import { describe } from 'vitest';

import { createQueueLock, createQuorumLock, createSimpleLock } from '#src/index.ts';

import type { ClientLibrary } from './client-libraries.ts';
import { describeLocks, serverTimeoutMs } from './conformance.ts';

// What every lock promises, with the clients of another library.

export function describeSimpleLock(name: string, library: ClientLibrary): void {
  describe(`simple lock with ${name}`, () => {
    describeLocks({
      servers: 1,
      library,
      createLocks: ([client], options) => createSimpleLock(client!, options),
    });
  });
}

export function describeQueueLock(
  name: string,
  library: ClientLibrary,
  startServer?: () => Promise<Server>,
): void {
  describe(`queue lock with ${name}`, () => {
    describeLocks({
      servers: 1,
      library,
      startServer,
      createLocks: ([client], options) => createQueueLock(client!, options),
    });
  });
}

export function describeQuorumLock(name: string, library: ClientLibrary): void {
  describe(`quorum lock with ${name}`, () => {
    describeLocks({
      servers: 3,
      library,
      createLocks: (clients, options) => createQuorumLock(clients, { serverTimeoutMs, ...options }),
    });
  });
}
