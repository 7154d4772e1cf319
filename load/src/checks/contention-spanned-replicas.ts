import { agree, count, examples, thousands } from '@lastseat/lab-frame/words.ts';

import { contenders, names } from '../tally.ts';
import type { Check } from './check.ts';
import type { Evidence } from './evidence.ts';
import { mustOversell } from './oversold.ts';

export const contentionSpannedReplicas = {
  name: 'contention-spanned-replicas',
  claim: 'buyers contended, on several replicas that are processes of their own',
  findings: {
    one_instance: oneInstance,
    losers_on_one_instance: losersOnOneInstance,
    not_in_postgres: notInPostgres,
    replica_left_out: replicaLeftOut,
  },
  notShown: contentionNotShown,
  isEssential: true,
} satisfies Check;

// nginx hands requests to the replicas as they are free, so a few may well meet the same one. Were it a fair coin
// between two, twenty in a row would fall on one side once in half a million runs.
const ENOUGH_TO_JUDGE = 20;

function oneInstance({ attempts, terms, tally }: Evidence): string | null {
  const contending = contenders(attempts).length;
  if (!severalReplicas(terms) || contending < ENOUGH_TO_JUDGE) return null;
  if (tally.instances.contended.length >= 2) return null;
  return (
    `all ${count(contending, 'contender')} were answered by ${tally.instances.contended.length} of ` +
    `${terms.replicas} replicas${examples(tally.instances.contended)}: nothing was shown across processes`
  );
}

// One replica may win all that its buyers want and the other lose all, by nothing but their place in the queue. Not
// so where hardly anybody wins: then losers on one side mean that nearly everybody was sent there.
const SCARCE = 1 / 4;

function losersOnOneInstance({ attempts, terms, tally }: Evidence): string | null {
  const contending = contenders(attempts);
  const won = contending.filter(({ answer }) => answer?.code === 'booked').length;
  const lost = contending.filter(({ answer }) => answer?.code === 'sold_out').length;
  if (!severalReplicas(terms) || lost < ENOUGH_TO_JUDGE || won > SCARCE * contending.length) return null;
  if (tally.instances.lost.length >= 2) return null;
  return `all ${count(lost, 'loser')} of the contention met the same replica${examples(tally.instances.lost)}`;
}

/** Whoever answers as two replicas from one process has one connection to Postgres, under one of the two names. */
function notInPostgres({ attempts, replicas, tally }: Evidence): string | null {
  const strangers = names(attempts).filter((name) => !replicas.inPostgres.includes(name));
  if (strangers.length === 0) return null;
  const answered = strangers.map(
    (name) => `${name} answered ${count(tally.instances.requests[name] ?? 0, 'request')}`,
  );
  return `${answered.join(' and ')}, but Postgres has no connection of that name: one process may answer as two`;
}

// nginx gives each request to the replica with the fewest: one that gets none of ten for each is never asked.
const ENOUGH_FOR_EACH = 10;

function replicaLeftOut(evidence: Evidence): string | null {
  const idle = idleReplicas(evidence);
  if (idle.length === 0 || !isEnoughForEach(evidence)) return null;
  return `${idle.join(' and ')} ${agree(idle.length, 'is', 'are')} up and answered nobody`;
}

function idleReplicas({ attempts, replicas }: Evidence): string[] {
  const answered = names(attempts);
  return replicas.up.filter((name) => !answered.includes(name));
}

function isEnoughForEach({ tally, replicas }: Evidence): boolean {
  return tally.requests.answered >= ENOUGH_FOR_EACH * replicas.up.length;
}

function severalReplicas(terms: Evidence['terms']): boolean {
  return terms.replicas >= 2;
}

/** Nothing is wrong with such a run, but an API without any guard might have passed it too. */
function contentionNotShown(evidence: Evidence): string | null {
  const { crowd, terms, tally, attempts, replicas } = evidence;
  if (terms.sells === 'too many') {
    if (tally.tickets.oversold > 0 || mustOversell(crowd)) return null;
    return `nothing guards the seats, and yet none was oversold: ${whyNoRace(crowd)}`;
  }
  if (crowd.connections < 2) return 'the buyers came one by one: no two of them met';
  const contending = contenders(attempts).length;
  if (contending < ENOUGH_TO_JUDGE) {
    return `only ${count(contending, 'buyer')} contended: fewer than ${ENOUGH_TO_JUDGE} show nothing`;
  }
  const taken = names(attempts).length;
  if (taken < 2) return 'there is one replica only: nothing was shown across processes';
  const idle = idleReplicas(evidence);
  if (idle.length === 0 || isEnoughForEach(evidence)) return null;
  return (
    `${thousands(taken)} of ${count(replicas.up.length, 'replica')} took part: ` +
    `${count(attempts.length, 'request')} are too few for all of them`
  );
}

function whyNoRace({ connections, raceWindowMs }: Evidence['crowd']): string {
  if (connections < 2) return 'the buyers came one by one';
  if (raceWindowMs === 0) return 'without a race window it is a matter of luck';
  return 'there was enough for everybody';
}
