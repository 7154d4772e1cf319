/**
 * One contended moment, recorded: a few buyers at once for fewer tickets, each with the marks that the replica made of
 * its booking. Kept as JSON, and played without a server.
 */
export interface Race {
  format: 'lastseat-race/1';
  strategy: string;
  /** The drill that struck it, if one did. */
  fault?: string;
  event: number;
  tickets: number;
  /** How long a booking was held between its read and its write. */
  raceWindowMs: number;
  /** Booking rows in Postgres when all was over. */
  rows: number;
  /** What the counter in Postgres says is left. */
  available: number;
  startedAt: string;
  /** What records another one like it. */
  command: string;
  buyers: RaceBuyer[];
  /** How many there were, where some of them have asked several times. */
  buyerCount?: number;
  /** When a replica did nothing, because somebody had paused or killed it. */
  pauses?: Pause[];
}

export interface Pause {
  instance: string;
  fromMs: number;
  /** Null while it lasts. */
  toMs: number | null;
  /** It was not paused: what it had begun ends there. */
  isKilled?: boolean;
}

/** As many lanes as a screen has room for. */
export const MOST_LANES = 48;

/** Whose lane is drawn: everybody's, or of a crowd those who booked, those who came near it, and the first who came. */
export function drawnBuyers({ buyers }: Race): RaceBuyer[] {
  if (buyers.length <= MOST_LANES) return buyers;
  const rank = ({ outcome, marks }: RaceBuyer): number => {
    if (outcome === 'booked') return 0;
    return marks.some(({ name }) => name === 'holds' || name === 'writes') ? 1 : 2;
  };
  const inOrder = buyers.toSorted(
    (a, b) => rank(a) - rank(b) || (a.marks[0]?.atMs ?? Infinity) - (b.marks[0]?.atMs ?? Infinity),
  );
  const drawn = new Set(inOrder.slice(0, MOST_LANES));
  return buyers.filter((buyer) => drawn.has(buyer));
}

export interface RaceBuyer {
  customer: string;
  /** Null if nobody answered. */
  instance: string | null;
  /** `booked`, `sold_out`, ...; null if nobody answered. */
  outcome: string | null;
  token: number | null;
  marks: RaceMark[];
  /** When nginx said in its replica's place that nobody knows; missing where that has answered itself. */
  lostMs?: number;
}

/** Milliseconds since the first mark of the race. */
export interface RaceMark {
  name: string;
  atMs: number;
  value: number | null;
}

/** `read;dur=90411223.101;desc="1", writes;dur=...` as it stands in `Server-Timing`. */
export function readMarks(header: string | null): RaceMark[] {
  return (header ?? '').split(',').flatMap((text) => {
    const [, name, atMs, value] = /^\s*(\w+);dur=([\d.]+)(?:;desc="(-?\d+)")?/.exec(text) ?? [];
    if (name === undefined || atMs === undefined) return [];
    return [{ name, atMs: Number(atMs), value: value === undefined ? null : Number(value) }];
  });
}

export interface Span {
  kind: 'waits' | 'holds' | 'reads' | 'decides' | 'writes';
  fromMs: number;
  toMs: number;
}

/**
 * When a lane ends: with its answer, where its replica was killed, or where nginx gave it up; otherwise with the race.
 */
export function endOfLane(
  { marks, instance, lostMs = Infinity }: RaceBuyer,
  { pauses = [] }: Pick<Race, 'pauses'>,
  endMs: number,
): { atMs: number; isKilled: boolean } {
  const answered = marks.find(({ name }) => name === 'answered');
  if (answered) return { atMs: answered.atMs, isKilled: false };
  const [firstMs = 0, lastMs = 0] = [marks[0]?.atMs, marks.at(-1)?.atMs];
  const killed = pauses.find(
    (pause) => pause.isKilled && pause.instance === instance && pause.fromMs >= firstMs,
  );
  // It may have taken a step in the moment in which it was killed.
  const atMs = Math.max(lastMs, Math.min(killed?.fromMs ?? Infinity, lostMs, endMs));
  return { atMs, isKilled: killed !== undefined };
}

/** What a buyer's booking did, from mark to mark; what was begun and never ended goes on until the end of its lane. */
export function spansOf({ marks }: Pick<RaceBuyer, 'marks'>, endMs: number): Span[] {
  const at = (name: string): number | undefined => marks.find((mark) => mark.name === name)?.atMs;
  const span = (kind: Span['kind'], from: number | undefined, to: number | undefined): Span[] =>
    from === undefined ? [] : [{ kind, fromMs: from, toMs: to ?? endMs }];
  const answered = at('answered');
  const holds = at('holds');
  const read = at('read');
  const writes = at('writes');
  return [
    ...span('waits', at('waits'), holds ?? writes ?? answered),
    ...span('holds', holds, at('released') ?? at('committed') ?? answered),
    ...span('reads', at('reads'), read),
    ...(writes === undefined ? [] : span('decides', read, writes)),
    ...span('writes', writes, at('committed') ?? answered),
  ];
}

interface Booking {
  buyer: RaceBuyer;
  readMs: number;
  /** When its commit was sent: whoever is kept out by it reads only after that. When it was done is told too late. */
  commitsMs: number;
}

/** Those that decided on what they had read, in the order of their commits. */
function decided({ buyers }: Race): Booking[] {
  return buyers
    .flatMap((buyer): Booking[] => {
      const at = (name: string): number | undefined => buyer.marks.find((mark) => mark.name === name)?.atMs;
      const [readMs, commitsMs] = [at('read'), at('commits')];
      const isWhole = buyer.outcome === 'booked' && readMs !== undefined && commitsMs !== undefined;
      return isWhole ? [{ buyer, readMs, commitsMs }] : [];
    })
    .toSorted((a, b) => a.commitsMs - b.commitsMs);
}

/** A write that lands on another: it was decided on what was read before that other one was committed. */
export function overwrites(race: Race): Map<RaceBuyer, RaceBuyer> {
  const bookings = decided(race);
  const found = new Map<RaceBuyer, RaceBuyer>();
  for (const [index, { buyer, readMs }] of bookings.entries()) {
    const under = bookings.slice(0, index).findLast(({ commitsMs }) => commitsMs > readMs);
    if (under) found.set(buyer, under.buyer);
  }
  return found;
}

/** How many pairs of bookings were between their read and their commit at the same time. */
export function overlaps(race: Race): number {
  const bookings = decided(race);
  return bookings.reduce(
    (sum, { readMs }, index) =>
      sum + bookings.slice(0, index).filter(({ commitsMs }) => commitsMs > readMs).length,
    0,
  );
}

/** Moments in the order of time, for whoever steps from one to the next. */
export interface Moment {
  atMs: number;
  text: string;
  buyer: number;
}

const WORDS: Record<string, (mark: RaceMark) => string> = {
  arrived: () => 'arrives',
  waits: () => 'waits for the lock',
  holds: ({ value }) => (value === null ? 'holds the row' : `holds the lock, token ${value}`),
  reads: () => 'reads',
  read: ({ value }) => `has read: ${value ?? 'nothing'} free`,
  decides: () => 'is held before it writes',
  writes: () => 'writes',
  written: () => 'has written',
  commits: () => 'commits',
  committed: () => 'is committed',
  released: () => 'gives the lock back',
  answered: () => 'is answered',
};

/** Of the buyers that are drawn. */
export function momentsOf(race: Race): Moment[] {
  return drawnBuyers(race)
    .flatMap((drawn) => {
      const { customer, marks, outcome } = drawn;
      const buyer = race.buyers.indexOf(drawn);
      return marks.map((mark) => {
        const end = mark.name === 'answered' ? `: ${outcome ?? 'unknown'}` : '';
        return { atMs: mark.atMs, buyer, text: `${customer} ${WORDS[mark.name]?.(mark) ?? mark.name}${end}` };
      });
    })
    .toSorted((a, b) => a.atMs - b.atMs);
}

/** Tickets sold by rows that are committed, in the order of time: one step for each booking. */
export function salesOf({ buyers }: Race): number[] {
  return buyers
    .filter(({ outcome }) => outcome === 'booked')
    .flatMap(({ marks }) => marks.find(({ name }) => name === 'committed')?.atMs ?? [])
    .toSorted((a, b) => a - b);
}
