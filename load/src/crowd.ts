import { MARKS_HEADER, RACE_WINDOW_HEADER } from '@lastseat/booking/contract';

import type { Attempt } from './attempt.ts';
import { closedLoop } from './generators/closed-loop.ts';

export interface Wave {
  attempts: Attempt[];
  /** Answers that no request was waiting for. */
  strayAnswers: number;
  /** What the client itself counted. */
  client: { sent: number; answered: number; timedOut: number };
  /** Buyers who never got to ask, because the wave was broken off. */
  neverAsked: number;
}

export interface WaveOptions {
  /** Every buyer's name carries it, so that nobody takes a booking for one of another run. */
  runId: string;
  /** The whole address, with the path. */
  url: string;
  /** Buyers who ask, each with the number of this attempt. */
  buyers: readonly { buyer: number; number: number }[];
  connections: number;
  quantity: number;
  timeoutMs: number;
  raceWindowMs: number;
  /** Each answer is to tell when its booking waited, read and wrote. */
  asksForMarks?: boolean;
  /** Told as each request is built. */
  onAsk?: () => void;
  /** Told of each attempt as soon as it is answered. */
  onAnswer?: (attempt: Attempt) => void;
}

/** Every buyer sends exactly one request, over a limited number of connections, as fast as the answers come. */
export async function sendWave(options: WaveOptions): Promise<Wave> {
  const { runId, buyers, connections, quantity, timeoutMs, raceWindowMs, onAnswer = () => {} } = options;
  const { asksForMarks = false, onAsk = () => {} } = options;
  const { origin, pathname, search } = new URL(options.url);
  const waiting = buyers.values();
  const { exchanges, strayAnswers, counted } = await closedLoop({
    url: origin,
    connections,
    timing: { requests: buyers.length },
    timeoutMs,
    runId,
    client: () => ({
      next() {
        const { value: buyer } = waiting.next();
        if (!buyer) throw new Error(`${buyers.length} buyers were asked for one request more`);
        onAsk();
        return { operation: 'book', event: 0, quantity, buyer };
      },
      told: onAnswer,
    }),
    request: () => ({ method: 'POST', path: `${pathname}${search}` }),
    headers: {
      'content-type': 'application/json',
      ...(raceWindowMs > 0 && { [RACE_WINDOW_HEADER]: String(raceWindowMs) }),
      ...(asksForMarks && { [MARKS_HEADER]: '1' }),
    },
    onEdge: () => {},
  });
  return {
    attempts: exchanges,
    strayAnswers,
    client: counted ?? { sent: 0, answered: 0, timedOut: 0 },
    neverAsked: buyers.length - exchanges.length,
  };
}
