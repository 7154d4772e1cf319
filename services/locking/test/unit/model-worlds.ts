import fc from 'fast-check';

/** So short that a few hundred hops see leases expire, and so different that one of them outlives a poll. */
export const longestTtlMs = 300;
const ttlsMs = [60, longestTtlMs];
const waitsMs = [0, 40, 400, 400, 3_000];

/** What happens to three clients and two names. */
export type Op =
  | { do: 'acquire' | 'steal'; client: number; name: string; waitMs: number; ttlMs: number; renew: boolean }
  | { do: 'release' | 'cancel' | 'extend'; which: number }
  | { do: 'hops'; count: number }
  | { do: 'pass'; ms: number }
  | { do: 'cut' | 'deafen' | 'failOver' | 'stop' | 'resume' | 'kill'; client: number }
  | { do: 'flush' | 'set clock back' }
  | { do: 'lose lock'; name: string };

export interface World {
  readonly scheduler: fc.Scheduler;
  readonly seed: number;
  readonly coalesce: boolean;
  readonly lingerMs: number;
  readonly ops: Op[];
}

const clients = fc.nat(2);
const names = fc.constantFrom('x', 'x', 'x', 'y');
const which = fc.nat(9);

function asking(what: 'acquire' | 'steal'): fc.Arbitrary<Op> {
  return fc.record({
    do: fc.constant(what),
    client: clients,
    name: names,
    waitMs: fc.constantFrom(...waitsMs),
    ttlMs: fc.constantFrom(...ttlsMs),
    renew: fc.boolean(),
  });
}

const everyday: fc.WeightedArbitrary<Op>[] = [
  {
    weight: 10,
    arbitrary: asking('acquire'),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('release' as const), which }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('cancel' as const, 'extend' as const), which }) },
  {
    weight: 9,
    arbitrary: fc.record({ do: fc.constant('hops' as const), count: fc.integer({ min: 1, max: 16 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 120 }) }),
  },
];

const deaths: fc.WeightedArbitrary<Op> = {
  weight: 1,
  arbitrary: fc.record({ do: fc.constant('kill' as const), client: clients }),
};

const troubles: fc.WeightedArbitrary<Op> = {
  weight: 4,
  arbitrary: fc.record({
    do: fc.constantFrom(
      'cut' as const,
      'deafen' as const,
      'failOver' as const,
      'stop' as const,
      'resume' as const,
      'resume' as const,
    ),
    client: clients,
  }),
};

/** What no lock can keep its holders apart through; the tokens must still tell them apart. */
const losses: fc.WeightedArbitrary<Op>[] = [
  { weight: 1, arbitrary: fc.record({ do: fc.constant('flush' as const) }) },
];

const robberies: fc.WeightedArbitrary<Op>[] = [
  { weight: 1, arbitrary: fc.record({ do: fc.constant('lose lock' as const), name: names }) },
  { weight: 1, arbitrary: asking('steal') },
];

const clockFaults: fc.WeightedArbitrary<Op>[] = [
  { weight: 1, arbitrary: fc.record({ do: fc.constant('set clock back' as const) }) },
];

function worlds(...ops: fc.WeightedArbitrary<Op>[]): fc.Arbitrary<World> {
  return fc.record({
    scheduler: fc.scheduler(),
    seed: fc.integer(),
    coalesce: fc.boolean(),
    lingerMs: fc.constantFrom(0, 0, 20),
    ops: fc.array(fc.oneof(...ops), { minLength: 8, maxLength: 50, size: 'max' }),
  });
}

export const safeWorlds = worlds(...everyday, troubles, deaths, ...clockFaults);
export const lossyWorlds = worlds(...everyday, troubles, deaths, ...losses);
export const robbedWorlds = worlds(...everyday, troubles, deaths, ...robberies);
