import type { Ask, Client, Exchange } from '../generators/exchange.ts';

/**
 * A client whose events are replaced by new ones now and then, so that the history of each stays short: from then on it
 * starts anew, and knows nothing of what it had of those before.
 *
 * @param wave the position of the events that are wanted now
 * @param begin a client of one event, at position 0
 */
export function inWaves(wave: () => number, begin: () => Client): Client {
  let event = -1;
  let client: Client = begin();
  return {
    next(): Ask {
      if (wave() !== event) {
        event = wave();
        client = begin();
      }
      return { ...client.next(), event };
    },
    told(exchange: Exchange) {
      if (exchange.ask.event === event) client.told?.(exchange);
    },
  };
}
