import { randomNumbers } from '../lab-frame/random.ts';
import type { Weather } from './world/network.ts';

/** What happens in one history: who asks for what, and what goes wrong. All of it follows from the seed. */
export interface Plan {
  readonly seed: number;
  readonly strategy: string;
  readonly replicas: number;
  /** Tickets of each event. */
  readonly tickets: readonly number[];
  readonly weather: Weather;
  readonly asks: readonly Ask[];
  readonly faults: readonly Fault[];
}

export interface Ask {
  /** What it is called in the trace, and where parts of a history are chosen. */
  readonly id: string;
  readonly atMs: number;
  readonly replica: number;
  readonly eventId: number;
  readonly do: 'book' | 'cancel' | 'read';
  readonly quantity: number;
  /** Of a cancellation: the request whose booking is taken back, once it is booked. */
  readonly of: string | null;
}

export interface Fault {
  readonly id: string;
  readonly atMs: number;
  readonly do: FaultName;
  readonly replica: number;
  /** For how long, where it ends. */
  readonly forMs: number;
  /** Of a failover: how far the replica was behind, and its clock from the old one's. */
  readonly lagMs: number;
  readonly clockMs: number;
}

export const FAULTS = {
  pause: 'a replica stops for a while, whatever it is doing',
  crash: 'a replica dies, and starts anew',
  'cut-redis': 'the connections of a replica to Redis break',
  deafen: 'its subscription breaks: what is told meanwhile is lost',
  'silence-redis': 'its connections to Redis carry nothing any more, and nobody says so',
  'cut-postgres': 'its connections to Postgres break',
  'silence-postgres': 'its connections to Postgres carry nothing any more',
  'lose-commit': 'Postgres commits, and the answer is lost',
  'pause-redis': 'Redis stops for a while',
  'pause-postgres': 'Postgres stops for a while',
  'crash-postgres': 'Postgres loses what is not committed, and comes back',
  failover: 'an asynchronous replica of Redis takes over, with what it has got, and a clock of its own',
  flush: 'Redis loses its data',
} as const;

export type FaultName = keyof typeof FAULTS;
export const FAULT_NAMES = Object.keys(FAULTS) as FaultName[];

/** With these Redis may give a lock away that is still held: only the fence keeps its holders apart. */
export const LOSES_LOCKS: ReadonlySet<FaultName> = new Set(['failover', 'flush']);

/** How often each of them is drawn. */
const OFTEN: Partial<Record<FaultName, number>> = { pause: 4, 'lose-commit': 2, failover: 2, crash: 2 };

export function planOf(seed: number, strategy: string, faultNames: readonly FaultName[] = FAULT_NAMES): Plan {
  // Not the numbers that the history itself is played with.
  const random = randomNumbers(Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995);
  const between = (least: number, most: number) => least + Math.floor(random() * (most - least + 1));
  const chance = (probability: number) => random() < probability;

  const replicas = between(2, 3);
  const tickets = Array.from({ length: chance(0.3) ? 2 : 1 }, () => between(1, 8));
  const span = chance(0.5) ? 60 : 1_500;
  const asks: Ask[] = [];
  for (let i = 0, count = between(3, 14); i < count; i += 1) {
    const booked = asks.filter((ask) => ask.do === 'book');
    const of = booked[between(0, booked.length - 1)];
    const what = of !== undefined && chance(0.2) ? 'cancel' : chance(0.15) ? 'read' : 'book';
    asks.push({
      id: `a${i + 1}`,
      // Many of a crowd come at the same time.
      atMs: chance(0.3) ? (asks.at(-1)?.atMs ?? 0) : between(0, span),
      replica: between(0, replicas - 1),
      eventId: what === 'cancel' && of !== undefined ? of.eventId : between(1, tickets.length),
      do: what,
      quantity: chance(0.7) ? 1 : between(2, 3),
      of: what === 'cancel' && of !== undefined ? of.id : null,
    });
  }

  // Somebody gives tickets back, and others come for them at once: whoever was refused before may have them now.
  const booked = asks.filter((ask) => ask.do === 'book');
  const giver = booked[between(0, booked.length - 1)];
  if (giver !== undefined && chance(0.4)) {
    const lastMs = Math.max(...asks.map(({ atMs }) => atMs));
    const back = { ...giver, id: 'b1', atMs: lastMs + between(5, 100), replica: between(0, replicas - 1) };
    asks.push({ ...back, do: 'cancel', of: giver.id });
    for (let i = 2, atMs = back.atMs; i <= 3; i += 1) {
      atMs += between(2, 40);
      asks.push({ ...giver, id: `b${i}`, atMs, replica: between(0, replicas - 1), quantity: 1 });
    }
  }

  const lots = faultNames.flatMap((name) => Array.from({ length: OFTEN[name] ?? 1 }, () => name));
  const faults: Fault[] = [];
  for (let i = 0, count = lots.length === 0 ? 0 : between(0, 4); i < count; i += 1) {
    const struck = asks[between(0, asks.length - 1)] as Ask;
    faults.push({
      id: `f${i + 1}`,
      // While something is under way: most of what is done takes a few milliseconds.
      atMs: struck.atMs + random() * (chance(0.7) ? 12 : 600),
      do: lots[between(0, lots.length - 1)] as FaultName,
      replica: struck.replica,
      forMs: chance(0.5) ? between(650, 2_500) : between(5, 600),
      lagMs: random() * (chance(0.5) ? 10 : 800),
      clockMs: chance(0.5) ? 0 : between(-800, 800),
    });
  }
  // Without faults no message is so late that a lease ends meanwhile.
  const slowMs = faultNames.length === 0 ? between(5, 20) : between(5, 900);
  const weather = { usualMs: 0.2 + random() * 1.5, slowOneIn: between(15, 300), slowMs };
  return { seed, strategy, replicas, tickets, weather, asks, faults };
}

/** The same history with only these of its asks and faults. */
export function keepOnly(plan: Plan, ids: ReadonlySet<string>): Plan {
  return {
    ...plan,
    asks: plan.asks.filter(({ id }) => ids.has(id)),
    faults: plan.faults.filter(({ id }) => ids.has(id)),
  };
}
