import { count } from '@lastseat/lab-frame/words.ts';

import type { Operation } from '../../history/operation.ts';
import { measureSlice } from '../../lab/slice.ts';
import type { Cell, LabSettings, LabStrategy } from '../../runs/run.ts';
import type { Attack } from '../attack.ts';

/** Enough to meet at each replica many times, few enough that a guard of one booking after the other is done in time. */
const CONNECTIONS = 32;

// After so long a guard has shown what it does, or shows nothing: then its requests run into their own time limits.
const ENDS_AFTER_MS = 12_000;

/** A workload of the lab, through nginx, judged as the lab does. */
function contention(
  name: string,
  what: string,
  {
    workload,
    ...wishes
  }: { workload: string } & Partial<Pick<LabSettings, 'tickets' | 'buyers' | 'windowMs'>>,
): Attack {
  return {
    name,
    what,
    breaks: ['none'],
    expectedMs: 4_000,
    async run({ stack, oracle, target, size }, { name }) {
      // The lab takes it for one of its own.
      const strategy = name as LabStrategy;
      let operations: readonly Operation[] = [];
      const cell: Cell = {
        workload,
        strategy,
        replicas: size,
        connections: CONNECTIONS,
        sells: 'exactly',
        slices: [],
      };
      const settings: LabSettings = {
        workload,
        replicas: [size],
        strategies: [strategy],
        connections: [CONNECTIONS],
        tickets: null,
        buyers: null,
        slices: 1,
        warmUpMs: 200,
        windowMs: 1_500,
        ...wishes,
      };
      const lab = {
        stack,
        oracle,
        targetOf: () => target,
        settings,
        endsAfterMs: ENDS_AFTER_MS,
        keepHistory(_cell: Cell, _slice: unknown, all: readonly Operation[]) {
          operations = all;
          return null;
        },
      };
      const { requests, answers, checks } = await measureSlice(lab, cell, 1);
      const told = Object.entries(answers).map(([outcome, times]) => `${times} ${outcome}`);
      return { seen: `${count(requests.started, 'request')}: ${told.join(', ')}`, checks, operations };
    },
  };
}

export const CONTENTION: readonly Attack[] = [
  contention('last-ticket', 'a crowd wants the only ticket, across all replicas', {
    workload: 'last-ticket',
    buyers: 600,
  }),
  contention('few-tickets', 'a crowd wants ten tickets', {
    workload: 'last-ticket',
    tickets: 10,
    buyers: 600,
  }),
  contention('storm', 'book, cancel and read at random: does one order explain all answers?', {
    workload: 'storm',
    buyers: 800,
  }),
  contention('repeat', 'each booking is asked for twice at the same time, with one idempotency key', {
    workload: 'repeat',
  }),
];
