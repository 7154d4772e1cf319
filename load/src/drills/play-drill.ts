import { setTimeout as sleep } from 'node:timers/promises';

import type { ClusterPart } from '@lastseat/infra/cluster';

import { LEASE_MS, type Arena } from '../faults/arena.ts';
import { openBuyers, type Buyers } from '../faults/buyers.ts';
import { holdBookings, type Held, type HeldBookings } from '../faults/held-bookings.ts';
import type { Sent } from '../generators/exchange.ts';
import { MissedError, type Drill, type Scene } from './drill.ts';
import { isMissedBy, judgeStrike, type Struck } from './judge-strike.ts';
import { startLoad, type SteadyLoad } from './steady-load.ts';
import { isServed, type Phases } from './throughput.ts';

/** What a drill is played with. */
export interface Play {
  strategies: readonly string[];
  /** Of the load, for each strategy. */
  clients: number;
  /** Tickets of each event that has a booking held, for each strategy; none where the drill holds none. */
  held: readonly number[];
  /** Of this strike: what is drawn for it, and what its buyers want. */
  seed: number;
  random(): number;
}

/** Until everything is connected and the load is as it will be. */
const WARM_UP_MS = 700;
const BEFORE_MS = { least: 1_000, most: 2_000 };
const AFTER_MS = 1_500;
// Leases of those who were struck, what Postgres grants an idle transaction, a restart, retries that back off: some
// seconds. Several times that, for who does not sell by then is found guilty.
const RECOVERED_WITHIN_MS = 30_000;
// Several leases, and well within the time of the request that is held.
const OTHERS_WITHIN_MS = 5_000;
// What strikes has time to strike; and what is left of the lease is for a machine that is slow: it is no fault.
const HOLD_MS = 0.6 * LEASE_MS;
const MOST_TRIES = 5;
const POLL_MS = 100;

/**
 * One strike, for several strategies at once: each has a load of its own on events of its own, and all of them meet the same
 * fault at the same time. @returns in the order of the strategies
 */
export async function playDrill(arena: Arena, drill: Drill, play: Play): Promise<Struck[]> {
  for (let tries = 1; ; tries += 1) {
    const struck = await strikeOnce(arena, drill, play);
    const isMissed = struck.every((one) => isMissedBy(drill, one));
    if (!isMissed || tries === MOST_TRIES || arena.signal.aborted) return struck;
  }
}

async function strikeOnce(arena: Arena, drill: Drill, play: Play): Promise<Struck[]> {
  const { cluster, signal, target } = arena;
  const { random } = play;
  await using resources = new AsyncDisposableStack();
  const parts = (await cluster.parts()).filter(({ kind }) => kind === 'replica');
  const replicas = parts.map(({ name }) => name);
  const loads: SteadyLoad[] = [];
  const sent: Sent[] = [];
  // Whatever happens, nobody asks any more when it is over.
  resources.defer(async () => {
    await Promise.all(loads.slice(sent.length).map((load) => load.end()));
  });
  const buyers: Buyers[] = [];
  for (const strategy of play.strategies) {
    loads.push(await startLoad(target, strategy, play));
    buyers.push(resources.use(await openBuyers(arena, strategy, drill.holds ? play.held : [])));
  }
  await rest(WARM_UP_MS, signal);
  const steadyAtMs = performance.now();
  await rest(between(BEFORE_MS.least, BEFORE_MS.most, random()), signal);

  const eventIds = loads.flatMap(({ eventIds }) => eventIds);
  using strike = await strikeAndHeal(arena, drill, { replicas, buyers, eventIds, random });
  const { strikeAtMs, healedAtMs, told, isMissed } = strike;
  const phases: Phases = { steadyAtMs, strikeAtMs, healedAtMs, endedAtMs: 0 };
  await untilRecovered(loads, phases, signal);
  phases.endedAtMs = performance.now();
  for (const load of loads) sent.push(await load.end());
  await Promise.all(buyers.map((buyers) => buyers.allAnswered()));
  const struck = strike.struck();
  const judged = { ...arena, target: await arena.targetNow() };
  const trial = { arena: judged, drill, replica: strike.replica, phases, isMissed };
  return await Promise.all(
    loads.map((load, index) => {
      const toldOfHeld = told.slice(index * play.held.length, (index + 1) * play.held.length);
      return judgeStrike(trial, { load, sent: sent[index], buyers: buyers[index], struck, told: toldOfHeld });
    }),
  );
}

/** A stack of one's own. */
type Strikable = Pick<Arena, 'cluster' | 'size' | 'signal'>;

/** What a fault meets: the replicas by the names of their parts, and what is asked of them. */
export interface Scenery {
  replicas: readonly string[];
  /** Those whose bookings are held when it strikes; nobody's, where the drill holds none. */
  buyers: readonly Buyers[];
  /** The events of the load. */
  eventIds: readonly number[];
  url?: string;
  random(): number;
}

/** What became of a fault. It reads the logs until it is disposed of. */
export interface Strike extends Disposable {
  /** Times of `performance.now()`. */
  strikeAtMs: number;
  /** The fault was there. */
  struckAtMs: number;
  healedAtMs: number;
  /** What did not run then, as the cluster has it. */
  down: readonly ClusterPart[];
  /** The one that was struck; null where the drill strikes all. */
  replica: string | null;
  /** There was nothing to strike. */
  isMissed: boolean;
  /** What those were told who wanted the tickets that were held. */
  told: string[];
  /** Whom it has met; asked when everybody was answered. */
  struck(): readonly Held[];
}

/** One fault under a load that is there already: it strikes, lasts, and is healed, whatever happens meanwhile. */
export async function strikeAndHeal(arena: Strikable, drill: Drill, scenery: Scenery): Promise<Strike> {
  const { cluster, signal } = arena;
  const { replicas, buyers, eventIds, url, random } = scenery;
  const drawn = replicas[Math.floor(random() * replicas.length)] ?? '';
  const lastsMs = between(...drill.lastsMs, random());
  const scene: Scene = { cluster, url, replicas, replica: drawn, eventIds, random, signal };
  using resources = new DisposableStack();
  let holding: HeldBookings | null = null;
  if (drill.holds) {
    holding = resources.use(await holdBookings(cluster, replicas, buyers, HOLD_MS));
    await holding.untilHeld();
    scene.replica = holding.heldBy()[0]?.part ?? drawn;
  }
  const strikeAtMs = performance.now();
  let struckAtMs = strikeAtMs;
  let down: ClusterPart[] = [];
  let told: string[] = [];
  let isMissed = false;
  try {
    await drill.strike(scene);
    struckAtMs = performance.now();
    holding?.struckAt(drill.strikesAll ? null : scene.replica);
    down = (await cluster.parts()).filter(({ state }) => state !== 'running');
    const lasted = rest(lastsMs, signal);
    told = await othersBuy(buyers);
    await lasted;
  } catch (error) {
    if (!(error instanceof MissedError)) throw error;
    isMissed = true;
  } finally {
    await mend(arena, drill, scene);
  }
  const kept = resources.move();
  return {
    strikeAtMs,
    struckAtMs,
    healedAtMs: performance.now(),
    down,
    replica: drill.strikesAll ? null : scene.replica,
    isMissed,
    told,
    struck: () => holding?.struck() ?? [],
    [Symbol.dispose]: () => kept.dispose(),
  };
}

/** Somebody wants each ticket that is held. */
async function othersBuy(buyers: readonly Buyers[]): Promise<string[]> {
  return Promise.all(
    buyers.flatMap((buyers) => buyers.tickets.map((_, event) => buyers.buy(event, OTHERS_WITHIN_MS))),
  );
}

/** Also where the strike failed half-way, or somebody has interrupted it: everything runs afterwards. */
async function mend(arena: Strikable, drill: Drill, scene: Scene): Promise<void> {
  try {
    await drill.heal(scene);
  } finally {
    await startAll(arena);
  }
}

/** Every part runs, and there are as many replicas as at the beginning. */
export async function startAll({ cluster, size, signal }: Strikable): Promise<void> {
  for (const { name, state } of await cluster.parts()) {
    if (state !== 'running') await cluster.start(name);
  }
  const replicas = (await cluster.parts()).filter(({ kind }) => kind === 'replica');
  if (replicas.length !== size) await cluster.scale(size);
  // Or the next strike takes the last server that has everything. Who is interrupted strikes no more.
  if (!signal.aborted) await cluster.untilRedundant();
}

/** Somebody could buy from each of them again, and they have been asked for long enough to say how many can. */
async function untilRecovered(
  loads: readonly SteadyLoad[],
  { healedAtMs }: Phases,
  signal: AbortSignal,
): Promise<void> {
  await rest(AFTER_MS, signal);
  const sells = ({ exchanges }: SteadyLoad): boolean =>
    exchanges.some(
      (exchange) =>
        isServed(exchange) && exchange.startedAtMs > healedAtMs && exchange.answer?.code === 'booked',
    );
  while (!loads.every(sells) && performance.now() < healedAtMs + RECOVERED_WITHIN_MS && !signal.aborted) {
    await sleep(POLL_MS);
  }
  await rest(AFTER_MS, signal);
}

function between(least: number, most: number, random: number): number {
  return least + (most - least) * random;
}

/** Ctrl-C ends it early; what was struck is mended all the same. */
async function rest(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {});
}
