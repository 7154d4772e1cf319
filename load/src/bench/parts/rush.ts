import { count, thousands } from '@lastseat/lab-frame/words.ts';

import { guardOf } from '../../scenario.ts';
import { createEvent } from '../../target.ts';
import { faultIn } from '../books.ts';
import { BODY, NOOP_PATH } from '../cell.ts';
import type { LoadResult } from '../generator/send-load.ts';
import type { Rush } from '../measurements.ts';
import { has, inTurn, type Bench, type Field, type Pace, type Step } from '../step.ts';

const GUARD = 'batched-update';
const BUYERS = 10_000;
// As many as the largest of the other crowds: nearly all of them are refused, and each at once asks again.
const CONNECTIONS = 512;
// A fifth of the crowd beforehand, on an event of its own: the path of a refusal is compiled before it is measured.
const REHEARSAL = BUYERS / 5;

/** 10,000 buyers for one ticket, beside 10,000 requests to the no-op route. */
export function rushSteps(field: Field, pace: Pace, results: Rush[]): Step[] {
  if (!has(field, GUARD)) return [];
  return Array.from({ length: pace.repeats }, (_, index): Step => {
    const repeat = index + 1;
    return {
      what: `${thousands(BUYERS)} buyers for one ticket`,
      expectedMs: 6_000,
      async run(bench) {
        results.push(await rush(bench, repeat));
      },
    };
  });
}

async function rush(bench: Bench, repeat: number): Promise<Rush> {
  const { target, ledger } = bench;
  await send(bench, guardOf(GUARD).path(await createEvent(target, 'bench rehearsal', 1)), REHEARSAL);
  await send(bench, NOOP_PATH, REHEARSAL);

  const eventId = await createEvent(target, 'bench rush', 1);
  const path = guardOf(GUARD).path(eventId);
  const results = new Map<string, LoadResult>();
  for (const which of inTurn([NOOP_PATH, path], repeat)) results.set(which, await send(bench, which, BUYERS));
  const [crowd, noop] = [results.get(path), results.get(NOOP_PATH)];
  if (!crowd || !noop) throw new Error('a result is missing');

  const { rows, uncounted } = await ledger.audit([eventId]);
  return {
    repeat,
    guard: GUARD,
    buyers: BUYERS,
    connections: CONNECTIONS,
    booked: crowd.statuses['201'] ?? 0,
    rows,
    refusalsPerS: perSecond(crowd, '409'),
    noopPerS: perSecond(noop, '201'),
    void:
      faultIn(GUARD, { ...crowd, rows, uncounted }) ??
      faultIn('no-op', { ...noop, rows: null, uncounted: 0 }) ??
      turnedAway(crowd),
  };
}

function send({ stack, generator }: Bench, path: string, requests: number): Promise<LoadResult> {
  return generator.send({
    origins: [stack.url],
    paths: [path],
    body: BODY,
    connections: CONNECTIONS,
    timing: { requests },
  });
}

function perSecond({ statuses, window }: LoadResult, status: string): number {
  return Math.round(((statuses[status] ?? 0) / window.ms) * 1_000);
}

/** A buyer who is told to come back has not been refused yet. */
function turnedAway({ statuses }: LoadResult): string | null {
  const busy = statuses['503'] ?? 0;
  return busy === 0 ? null : `${count(busy, 'buyer')} told to come back later rather than refused`;
}
