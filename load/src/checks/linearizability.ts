import { checkHistory } from '../linearizability/from-history.ts';
import type { Check } from './check.ts';
import type { Evidence } from './evidence.ts';

export const linearizability = {
  name: 'linearizability',
  claim: 'there is an order of all operations in which a counter alone would have given every answer',
  findings: { not_linearizable: notLinearizable },
  notShown: notDecided,
} satisfies Check;

// A run without cancellations takes milliseconds; what takes longer than this may take for ever.
const WITHIN_MS = 5_000;

function notLinearizable(evidence: Evidence): string | null {
  return sentence(evidence, 'not linearizable');
}

function notDecided(evidence: Evidence): string | null {
  return sentence(evidence, 'not decided');
}

// Asked for twice, and worth looking for only once.
const verdicts = new WeakMap<Evidence['history'], ReturnType<typeof checkHistory>>();

function sentence({ history }: Evidence, wanted: 'not linearizable' | 'not decided'): string | null {
  const found = verdicts.get(history) ?? checkHistory(history, WITHIN_MS);
  verdicts.set(history, found);
  return found.find(({ result }) => result.verdict === wanted)?.sentence ?? null;
}
