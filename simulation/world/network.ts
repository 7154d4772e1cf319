import type { Process, Scheduler } from './scheduler.ts';

/**
 * One connection between a client and a server, as TCP has it: in order both ways, whole or not at all. It can be cut, and
 * then what is on its way arrives or is lost; and it can fall silent, and then nothing arrives any more and nobody is told.
 */
export interface Wire {
  readonly isOpen: boolean;
  /** Happens at the server when it arrives. */
  send(arrives: () => void): void;
  /** Happens at the client when it arrives. */
  answer(arrives: () => void): void;
  /** The client ends it, or the network: what the client has sent may still arrive. */
  cut(): void;
  fallSilent(): void;
}

/** How long a message takes. */
export interface Weather {
  /** A message takes so long at most, mostly. */
  usualMs: number;
  /** One in so many takes up to `slowMs`. */
  slowOneIn: number;
  slowMs: number;
}

export interface WireEnds {
  client: Process;
  server: Process;
  /** Told at the client that it was cut, unless it has done so itself. */
  onCut?: () => void;
  /** Told at the server, a little later. */
  onGone?: () => void;
}

export type Network = (ends: WireEnds) => Wire;

export function createNetwork(scheduler: Scheduler, weather: Weather): Network {
  function delayMs(): number {
    const isSlow = scheduler.chance(1 / weather.slowOneIn);
    return 0.05 + scheduler.random() * (isSlow ? weather.slowMs : weather.usualMs);
  }

  function inOrder(lastMs: number): number {
    return Math.max(lastMs, scheduler.nowMs() + delayMs());
  }

  return ({ client, server, onCut, onGone }) => {
    let isOpen = true;
    let isSilent = false;
    let lastAtServerMs = 0;
    let lastAtClientMs = 0;

    return {
      get isOpen() {
        return isOpen;
      },
      send(arrives) {
        if (!isOpen || isSilent) return;
        lastAtServerMs = inOrder(lastAtServerMs);
        scheduler.in(lastAtServerMs - scheduler.nowMs(), server, () => {
          // Cut meanwhile: it had arrived in the server's buffers, or it had not.
          if (!isOpen && scheduler.chance(0.5)) return;
          arrives();
        });
      },
      answer(arrives) {
        if (!isOpen || isSilent) return;
        lastAtClientMs = inOrder(lastAtClientMs);
        scheduler.in(lastAtClientMs - scheduler.nowMs(), client, () => {
          if (isOpen) arrives();
        });
      },
      cut() {
        if (!isOpen) return;
        isOpen = false;
        if (onCut !== undefined) scheduler.in(0, client, onCut);
        if (onGone !== undefined) {
          const goneMs = Math.max(lastAtServerMs - scheduler.nowMs(), 0) + delayMs();
          scheduler.in(goneMs, server, onGone);
        }
      },
      fallSilent() {
        isSilent = true;
      },
    };
  };
}
