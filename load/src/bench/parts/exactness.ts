import type { StrategyView } from '@lastseat/booking/contract';

import { run, type Run } from '../../run.ts';
import { guardOf } from '../../scenario.ts';
import { openOracle, type Oracle } from '../../truth.ts';
import type { ExactRun } from '../measurements.ts';
import type { Bench, Field, Step } from '../step.ts';

// Small, so that the end of the stock, where overselling happens, is most of the run.
const TICKETS = 20;
const BUYERS = 200;
const CONNECTIONS = 64;

/**
 * Every other run holds the moment between read and write open. Without it the guards take their fast paths, with it
 * every one of them meets the race for certain.
 */
const RACE_WINDOWS_MS = [0, 5];

const TIMEOUT_MS = 12_000;
const EXPECTED_MS = 800;

/** Crowds against a small stock, each guard so many times; what was sold is counted in Postgres. */
export function exactnessSteps({ strategies }: Field, runs: number, results: ExactRun[]): Step[] {
  return Array.from({ length: runs }, (_, index) => index + 1).flatMap((number) =>
    strategies.map((strategy): Step => {
      return {
        what: `exactness of ${strategy.name}, run ${number} of ${runs}`,
        expectedMs: EXPECTED_MS,
        async run(bench) {
          await using oracle = await openOracle(bench.target.postgresUrl);
          results.push(await once(bench, oracle, strategy, number));
        },
      };
    }),
  );
}

async function once(
  { target }: Bench,
  oracle: Oracle,
  { name, guarantee }: StrategyView,
  number: number,
): Promise<ExactRun> {
  const raceWindowMs = RACE_WINDOWS_MS[number % RACE_WINDOWS_MS.length] ?? 0;
  const guard = guardOf(name);
  const crowd = {
    tickets: TICKETS,
    buyers: BUYERS,
    quantity: 1,
    connections: CONNECTIONS,
    raceWindowMs,
  };
  const done = await run(
    { guard, crowd },
    { target, oracle, eventId: null, timeoutMs: TIMEOUT_MS, maxUnknown: 0 },
  );
  const { capacity, confirmed, oversold, undersold } = done.tally.tickets;
  return {
    guard: name,
    guarantee,
    run: number,
    raceWindowMs,
    capacity,
    confirmed,
    oversold,
    undersold,
    void: otherFault(done),
  };
}

/** Overselling and underselling are what is looked for; anything else that is wrong makes the run worthless. */
function otherFault({ judgement, tally }: Run): string | null {
  // Whoever sells too many or too few is wrong in other ways too; those are no excuse.
  if (tally.tickets.oversold > 0 || tally.tickets.undersold > 0) return null;
  return judgement.wrong[0]?.detail ?? null;
}
