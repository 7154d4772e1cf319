import { setTimeout as sleep } from 'node:timers/promises';

import { UserError } from '@lastseat/infra/command-line';

import { openOracle, type Oracle } from './truth.ts';

// Longer than Postgres takes to recover from a kill, and than anybody leaves it paused who waits for the verdict.
const PATIENCE_MS = 90_000;
const AGAIN_MS = 500;
// A server that is paused does not read a goodbye.
const CLOSE_MS = 500;

/**
 * An oracle for a Postgres that may be paused, killed and started again while it is asked: what is to be counted is
 * asked again, on a new connection, until it is answered.
 * @param findUrl where it is now: in a container it has another port after each start
 */
export function patientOracle(findUrl: () => Promise<string>): Oracle {
  let open: Oracle | null = null;

  async function close(): Promise<void> {
    const closing = open;
    open = null;
    const closed = closing && (async () => closing[Symbol.asyncDispose]())().catch(() => {});
    await Promise.race([closed, sleep(CLOSE_MS)]);
  }

  async function ask<T>(question: (oracle: Oracle) => Promise<T>): Promise<T> {
    try {
      open ??= await openOracle(await findUrl());
      return await question(open);
    } catch (error) {
      await close();
      throw error;
    }
  }

  return {
    async read(eventId) {
      const deadlineMs = performance.now() + PATIENCE_MS;
      for (;;) {
        try {
          return await ask((oracle) => oracle.read(eventId));
        } catch (cause) {
          if (performance.now() > deadlineMs) {
            const reason = (cause as Error).message;
            throw new UserError(`Postgres has not answered for ${PATIENCE_MS / 1_000} s: ${reason}`, {
              cause,
            });
          }
          await sleep(AGAIN_MS);
        }
      }
    },
    unconfirmedHolds: (eventId) => ask((oracle) => oracle.unconfirmedHolds(eventId)),
    connected: () => ask((oracle) => oracle.connected()),
    [Symbol.asyncDispose]: close,
  };
}
