import type { ClusterPart } from '@lastseat/infra/cluster';

import type { Answer } from '../answer.ts';
import { isNamed } from '../faults/replicas.ts';
import { onMachineClock } from '../history/clock.ts';
import type { LiveMarks } from './live-marks.ts';
import { readMarks, type Pause, type RaceBuyer } from './race.ts';

/** A request, and what came of it. */
export interface Asked {
  customer: string;
  /** Null if nobody answered. */
  answer: Answer | null;
}

/** A part does nothing, from and to a time of `performance.now()`; null while it lasts. */
export interface PartPause {
  part: string;
  fromMs: number;
  toMs: number | null;
  isKilled?: boolean;
}

const NAMES = ['ada', 'bob', 'eve', 'kim', 'lea', 'max', 'mia', 'noa', 'pia', 'sam', 'tom', 'zoe'];

/** Of a buyer, counted from 0: short enough for a lane. */
export function nameOf(index: number): string {
  const name = NAMES[index % NAMES.length] ?? '';
  const round = Math.floor(index / NAMES.length);
  return round === 0 ? name : `${name} ${round + 1}`;
}

/**
 * Requests as lanes, under the names of the parts that had them: by the marks in their answers, and where their replica was
 * killed, or did not answer in time, by those in its log.
 */
export function lanesOf(
  asked: readonly Asked[],
  marks: Pick<LiveMarks, 'of' | 'all'>,
  replicas: readonly ClusterPart[],
): RaceBuyer[] {
  const answered = new Set(asked.map(({ answer }) => answer?.requestId));
  return [
    ...asked.map(({ customer, answer }): RaceBuyer => {
      const inAnswer = readMarks(answer?.serverTiming ?? null);
      const isLost = inAnswer.length === 0 && answer !== null;
      return {
        customer,
        instance: takenBy({ answer }, marks, replicas) ?? answer?.instanceId ?? null,
        outcome: answer?.code ?? null,
        token: answer?.booking?.fencingToken ?? null,
        marks: isLost ? (marks.of(answer.requestId ?? '')?.marks ?? []) : inAnswer,
        ...(isLost && { lostMs: onMachineClock(answer.receivedAtMs) }),
      };
    }),
    // Whose they are is known only when they are answered.
    ...marks
      .all()
      .filter(({ requestId }) => !answered.has(requestId))
      .map(({ requestId, part, marks }): RaceBuyer => ({
        customer: `…${requestId.slice(-4)}`,
        instance: part,
        outcome: null,
        token: null,
        marks,
      })),
  ].filter(({ marks }) => marks.length > 0);
}

/** By the name in its answer; where nginx answered in its place, by what the replica has written into its log. */
export function takenBy(
  { answer }: Pick<Asked, 'answer'>,
  marks: Pick<LiveMarks, 'of'>,
  replicas: readonly ClusterPart[],
): string | null {
  return (
    replicas.find((replica) => isNamed(answer?.instanceId ?? '', replica))?.name ??
    marks.of(answer?.requestId ?? '')?.part ??
    null
  );
}

/** On a clock that begins with the first mark. */
export function onRaceClock(
  buyers: readonly RaceBuyer[],
  pauses: readonly PartPause[],
): { buyers: RaceBuyer[]; pauses: Pause[]; sinceFirst(atMs: number): number } {
  const times = buyers.flatMap(({ marks }) => marks.map(({ atMs }) => atMs));
  const firstMs = times.reduce((first, atMs) => Math.min(first, atMs), Infinity);
  const since = (machineMs: number): number => Math.round((machineMs - firstMs) * 1_000) / 1_000;
  // The clock of containers in a virtual machine is another one: then what was not marked is not drawn.
  const sinceFirst = (atMs: number): number => since(onMachineClock(atMs));
  return {
    buyers: buyers.map((buyer) => ({
      ...buyer,
      marks: buyer.marks.map((mark) => ({ ...mark, atMs: since(mark.atMs) })),
      ...(buyer.lostMs !== undefined && { lostMs: since(buyer.lostMs) }),
    })),
    pauses: pauses.map(({ part, fromMs, toMs, isKilled = false }) => ({
      instance: part,
      fromMs: sinceFirst(fromMs),
      toMs: toMs === null ? null : sinceFirst(toMs),
      isKilled,
    })),
    sinceFirst,
  };
}
