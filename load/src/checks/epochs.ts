import { count, examples } from '@lastseat/lab-frame/words.ts';

import { runIdOf } from '../generators/exchange.ts';
import type { Row } from '../truth.ts';
import type { Check } from './check.ts';
import type { Evidence } from './evidence.ts';

export const epochs = {
  name: 'epochs',
  claim: 'nobody reset the event meanwhile, and no booking of another run or an earlier epoch is in it',
  findings: { event_reset: eventReset, another_run: anotherRun },
} satisfies Check;

function eventReset({ event, truth }: Evidence): string | null {
  if (truth.epoch === event.epoch) return null;
  return `event ${event.id} was reset meanwhile, by another run or by hand: what this run booked does not count any more`;
}

/** Two loads on one event spoil each other's figures, and neither of them is Postgres's fault. */
function anotherRun(evidence: Evidence): string | null {
  const others = evidence.truth.rows.filter((row) => isOfAnotherRun(row, evidence));
  if (others.length === 0) return null;
  return (
    `${count(others.length, 'booking')} of another run on event ${evidence.event.id}` +
    `${examples(others.map((row) => row.customer))}: let each run have an event of its own (leave EVENT away)`
  );
}

export function isOfAnotherRun(row: Row, { runId }: Evidence): boolean {
  return ![null, runId].includes(runIdOf(row.customer));
}
