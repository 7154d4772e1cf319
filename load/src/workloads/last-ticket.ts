import { buyer, type Workload } from './workload.ts';

const BUYERS = 1_000;

export const lastTicket: Workload = {
  name: 'last-ticket',
  what: 'everybody wants the only ticket: one may get it, all others are refused',
  // Long enough for a wave of buyers to read before the first of them writes; a guarded ticket costs it once.
  raceWindowMs: 20,
  tickets: ({ tickets }) => [tickets ?? 1],
  requests: ({ buyers, connections }) => buyers ?? Math.max(BUYERS, 2 * connections),
  client: buyer,
  counts: ['refused'],
  exempt: [],
};
