import type { IncomingMessage } from 'node:http';
import { setImmediate as turn } from 'node:timers/promises';

/**
 * A process that is stopped still takes requests: its kernel does. What it finds in its sockets when it goes on may be
 * minutes old, and whoever sent it has been told that nobody knows, has looked for a booking, and has found none. Such a
 * request must not book any more. That it was given up stands behind it in its connection, which is closed; but that is
 * read only in a later turn of the event loop, when the booking is on its way to Postgres. So after a stall each request
 * waits for these few turns.
 */

/** Shorter than anybody waits for an answer, and longer than the event loop of a busy replica stands still. */
const STALL_MS = 1_000;

const BEAT_MS = STALL_MS / 4;

/** For so long after a stall requests may be of before it: the loop has turned many times by then. */
const AFTERMATH_MS = 1_000;

/** One that reads the end of the connection, and some for a connection that was not even accepted yet. */
const TURNS = 5;

export interface StallWatch extends Disposable {
  /** This process has just stood still. */
  isAfterStall(): boolean;
}

/** @param onStall told of each, when it is over: how long it was */
export function watchStalls(onStall?: (stalledMs: number) => void): StallWatch {
  let lastBeatMs = performance.now();
  let suspectUntilMs = 0;

  function beat(): void {
    const now = performance.now();
    const sinceMs = now - lastBeatMs;
    lastBeatMs = now;
    if (sinceMs <= STALL_MS) return;
    suspectUntilMs = now + AFTERMATH_MS;
    onStall?.(sinceMs);
  }

  const timer = setInterval(beat, BEAT_MS).unref();
  return {
    isAfterStall() {
      beat();
      return lastBeatMs < suspectUntilMs;
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}

/** Whether the client of a request still listens, as far as its connection tells by now. */
export async function isStillThere({ socket }: IncomingMessage): Promise<boolean> {
  for (let turns = 0; turns < TURNS; turns += 1) {
    await turn();
    if (socket.readableEnded || socket.destroyed) return false;
  }
  return true;
}
