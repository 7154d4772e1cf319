import type { Style } from '@lastseat/lab-frame/paint.ts';
import { count, thousands } from '@lastseat/lab-frame/words.ts';

import type { Finding } from '../checks/judge.ts';
import type { Run } from '../run.ts';

export interface Verdict {
  /** One or two words for a column. */
  word: 'EXACT' | 'OVERSOLD' | 'NOT SHOWN' | 'FAILED';
  /** The same for whoever asks why; one line per reason if it failed. */
  sentences: string[];
}

export function styleOf({ word }: Verdict): Style {
  if (word === 'EXACT') return 'good';
  return word === 'NOT SHOWN' ? 'strong' : 'bad';
}

export function verdictOf({ scenario, tally, judgement }: Run): Verdict {
  const { confirmed } = tally.tickets;
  const { wrong, notShown } = judgement;
  if (wrong.length > 0) return { word: 'FAILED', sentences: sentences(wrong) };
  if (notShown.length > 0) return { word: 'NOT SHOWN', sentences: sentences(notShown) };
  if (scenario.guard.sells === 'too many') {
    return {
      word: 'OVERSOLD',
      sentences: [`As expected where nothing guards the seats: ${soldTooOften(tally)}`],
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

function sentences(findings: readonly Finding[]): string[] {
  return findings.map(({ detail }) => capitalise(`${detail}.`));
}

function capitalise(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
