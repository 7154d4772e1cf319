import { mustOversell } from '../checks/stock.ts';
import type { Run } from '../run.ts';
import { count, thousands } from '../words.ts';
import type { Style } from './paint.ts';

export interface Verdict {
  /** One or two words for a column. */
  word: 'EXACT' | 'OVERSOLD' | 'LUCKY' | 'FAILED';
  /** The same for whoever asks why; one line per reason if it failed. */
  sentences: string[];
}

export function styleOf({ word }: Verdict): Style {
  if (word === 'EXACT') return 'good';
  return word === 'LUCKY' ? 'strong' : 'bad';
}

export function verdictOf({ scenario, tally, judgement }: Run): Verdict {
  const { confirmed, oversold } = tally.tickets;
  if (!judgement.good) {
    return { word: 'FAILED', sentences: judgement.wrong.map(({ detail }) => capitalise(`${detail}.`)) };
  }
  if (scenario.guard.sells === 'too many') {
    return oversold > 0
      ? {
          word: 'OVERSOLD',
          sentences: [`As expected where nothing guards the seats: ${soldTooOften(tally)}`],
        }
      : {
          word: 'LUCKY',
          sentences: [`Nothing guards the seats, and yet none was oversold: ${whyNot(scenario)}.`],
        };
  }
  const sold = confirmed === 1 ? 'Exactly one ticket' : `Exactly ${count(confirmed, 'ticket')}`;
  return { word: 'EXACT', sentences: [`${sold} sold, ${whatIsLeft(tally)}.`] };
}

function whatIsLeft({ tickets }: Run['tally']): string {
  const left = thousands(tickets.capacity - tickets.confirmed);
  if (tickets.confirmed === tickets.capacity) return 'not one too many, not one too few';
  if (tickets.demanded <= tickets.confirmed) return `which is all that was wanted; ${left} left`;
  return `and what is left (${left}) does not make another order`;
}

function soldTooOften({ tickets }: Run['tally']): string {
  const { capacity, available, confirmed, oversold } = tickets;
  const what =
    capacity === 1
      ? `one ticket was sold to ${count(confirmed, 'buyer')}.`
      : `${count(confirmed, 'ticket')} sold where there were ${thousands(capacity)}, ${thousands(oversold)} too many.`;
  const counted = capacity - available;
  // The trap of it: whoever looks at the counter alone sees nothing wrong.
  if (counted >= confirmed) return what;
  return `${what} The counter knows nothing of it: ${thousands(counted)} of ${thousands(capacity)} sold, it says.`;
}

function whyNot({ crowd }: Run['scenario']): string {
  if (mustOversell(crowd)) return 'luck';
  if (crowd.connections < 2) return 'the buyers came one by one';
  if (crowd.raceWindowMs === 0) return 'without a race window it is a matter of luck';
  return 'there was enough for everybody';
}

function capitalise(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
