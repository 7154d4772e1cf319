import type { RecordedRun } from '@lastseat/lab-frame/results/recorded-run.ts';
import { inOrder, median, percentile } from '@lastseat/lab-frame/statistics.ts';
import { count, thousands } from '@lastseat/lab-frame/words.ts';

import {
  BUSY,
  clusterFor,
  clusterOf,
  handOversPerS,
  hotEventPerS,
  MOST_CONNECTIONS,
  refusalCores,
  steadyBatch,
  waitOfOneMs,
} from '../scaling/beyond.ts';
import { costsOf, FITTED_TO, partCostsOf } from '../scaling/fit.ts';
import { LARGEST_BATCH, waitMs } from '../scaling/model.ts';
import { predictionsOf, type Prediction } from '../scaling/predictions.ts';
import { table } from './markdown.ts';

/** The blocks of infra/SCALING.md, by name. */
export const scalingBlocks: Record<string, (runs: readonly RecordedRun[]) => string[]> = {
  costs: costLines,
  cells: cellLines,
  parts: partLines,
  clusters: clusterLines,
  event: eventLines,
  million: millionLines,
};

/** The newest that tells all that the costs are made of. */
export function fittedRun(runs: readonly RecordedRun[]): RecordedRun {
  const run = runs.findLast(({ medians }) => medians['cores of nginx'] && medians['ms']);
  if (!run) throw new Error('no run tells the cores of each part: make bench');
  return run;
}

function costLines(runs: readonly RecordedRun[]): string[] {
  const run = fittedRun(runs);
  const { rowUs, batchUs, handOverUs, commitUs, roundTripUs } = costsOf(run);
  return [
    `From the run of ${day(run)}:`,
    '',
    ...table(
      ['of the time of the whole machine', 'µs', 'for each'],
      [
        ['what a booking takes more than a request that touches nothing', whole(rowUs), 'booking'],
        ['a statement that writes a batch', whole(batchUs), 'batch'],
        ['the lease of `batched-lock` goes on', whole(handOverUs), 'batch'],
        ['the row is locked for one booking: what there is once', whole(commitUs), 'booking'],
        ['the row is locked: each round trip', whole(roundTripUs), 'round trip'],
      ],
    ),
    '',
    `Fitted to ${FITTED_TO.join('; ')}.`,
  ];
}

function cellLines(runs: readonly RecordedRun[]): string[] {
  const fitted = fittedRun(runs);
  const costs = costsOf(fitted);
  const all = runs.map((run) => predictionsOf(run, costs, run === fitted));
  const own = all[runs.indexOf(fitted)] ?? [];
  const others = all.filter((predictions) => predictions !== own);
  const header = ['', 'buyers', 'replicas', 'predicted', 'measured', 'error', 'on other days', 'p50 ms'];
  const rows = own.map((prediction) => [
    prediction.what,
    whole(prediction.crowd),
    whole(prediction.replicas),
    amount(prediction.predicted),
    amount(prediction.measured),
    prediction.isFitted ? 'fitted' : errorInWords(prediction),
    others.flatMap((predictions) => predictions.filter(isLike(prediction)).map(errorInWords)).join(', '),
    waitInWords(prediction),
  ]);
  const errors = inOrder(
    all
      .flat()
      .filter(({ isFitted }) => !isFitted)
      .map((one) => Math.abs(errorOf(one))),
  );
  const [half, most, worst] = [median(errors) ?? 0, percentile(errors, 0.9), errors.at(-1) ?? 0].map(percent);
  return [
    `Of ${count(errors.length, 'cell')} that nothing was fitted to, half are predicted within ${half}, nine of ten ` +
      `within ${most}, and the worst is ${worst} off.`,
    '',
    ...table(header, rows),
  ];
}

function isLike(one: Prediction): (other: Prediction) => boolean {
  return ({ what, crowd, replicas }) => what === one.what && crowd === one.crowd && replicas === one.replicas;
}

function waitInWords({ crowd, predicted, p50Ms }: Prediction): string {
  return p50Ms === undefined ? '' : `${amount(waitMs(crowd, predicted))} / ${amount(p50Ms)}`;
}

function partLines(runs: readonly RecordedRun[]): string[] {
  const { nginxUs, replica, postgres, requestUs, handOverUs, commitCycleUs } = partCostsOf(fittedRun(runs));
  return table(
    ['processor time of', 'µs', 'for each'],
    [
      ['nginx', whole(nginxUs), 'booking'],
      ['a replica, for a request that touches nothing', whole(requestUs), 'request'],
      ['a replica', whole(replica.rowUs), 'booking'],
      ['a replica', whole(replica.batchUs), 'batch'],
      ['Postgres', whole(postgres.rowUs), 'booking'],
      ['Postgres', whole(postgres.batchUs), 'batch'],
      ['Redis', whole(handOverUs), 'hand-over'],
      ['(time until a commit of 32 bookings is answered)', whole(commitCycleUs), 'batch'],
    ],
  );
}

function clusterLines(runs: readonly RecordedRun[]): string[] {
  const costs = partCostsOf(fittedRun(runs));
  const header = [
    'replicas, a core each',
    'bookings/s',
    'cores of nginx',
    'cores of Postgres',
    'Postgres servers of 16 cores',
    `connections (now at most ${MOST_CONNECTIONS})`,
  ];
  const rows = [10, 100, 1_000].map((replicas) => {
    const { perS, nginxCores, postgresCores, shards, connections } = clusterOf(costs, replicas);
    return [replicas, perS, nginxCores, postgresCores, shards, connections].map(amount);
  });
  const batch = steadyBatch(costs);
  const waits = [0.5, BUSY, 0.9].map(
    (busy) => `${amount(waitOfOneMs(costs, batch, busy))} ms at ${percent(busy)}`,
  );
  return [
    ...table(header, rows),
    '',
    `Everything is busy for ${percent(BUSY)} of its time; a batch is ${whole(batch)} bookings then. Waits of one who comes ` +
      `by himself, with the same batches: ${waits.join(', ')}.`,
  ];
}

function eventLines(runs: readonly RecordedRun[]): string[] {
  const costs = partCostsOf(fittedRun(runs));
  return [
    ...table(
      ['bookings of each commit', 'bookings/s of one event, at most'],
      [32, 128, LARGEST_BATCH].map((batch) => [whole(batch), amount(hotEventPerS(costs, batch))]),
    ),
    '',
    `One Redis hands over at most ${amount(handOversPerS(costs))} times a second (${percent(BUSY)} of one core).`,
  ];
}

function millionLines(runs: readonly RecordedRun[]): string[] {
  const costs = partCostsOf(fittedRun(runs));
  const perS = 1_000_000;
  const all = clusterFor(costs, perS);
  const refused = refusalCores(costs, perS);
  return table(
    ['a million a second', 'cores of nginx', 'replicas', 'cores of Postgres', 'Postgres servers'],
    [
      [
        'all are booked, over many events',
        amount(all.nginxCores),
        whole(all.replicas),
        amount(all.postgresCores),
        whole(all.shards),
      ],
      [
        'all are refused: one event, sold out',
        amount(refused.nginx),
        whole(Math.ceil(refused.replicas)),
        amount(refused.postgres),
        '1: it is one row',
      ],
    ],
  );
}

function errorOf({ predicted, measured }: Prediction): number {
  return predicted / measured - 1;
}

function errorInWords(prediction: Prediction): string {
  const error = Math.round(errorOf(prediction) * 100);
  return `${error > 0 ? '+' : ''}${error} %`;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

function whole(value: number): string {
  return thousands(Math.round(value));
}

/** Three digits: more would claim a precision that a model has not. */
function amount(value: number): string {
  const rounded = Number(value.toPrecision(3));
  return rounded >= 1_000 ? thousands(rounded) : String(rounded);
}

function day({ startedAt }: RecordedRun): string {
  return startedAt.slice(0, 10);
}
