import { z } from '@hono/zod-openapi';
import type { Context, MiddlewareHandler } from 'hono';

import { wholeNumberText } from '#src/contract-fields.ts';
import {
  FAILPOINT_HEADER,
  FAILPOINT_STEPS,
  MAX_FAILPOINT_MS,
  MAX_RACE_WINDOW_MS,
  RACE_WINDOW_HEADER,
  type FailpointStep,
} from '#src/contract.ts';
import type { Failpoint } from '#src/failpoint.ts';

import { ProblemError } from './problem.ts';
import { check, type Env } from './read-input.ts';

/** Asked before anything is read: lab routes do not even tell a stranger whether their parameters are well formed. */
export function onlyInLab(labMode: boolean, what: string): MiddlewareHandler<Env> {
  return async (_, next) => {
    if (!labMode) throw labModeOff(what);
    await next();
  };
}

export function labModeOff(what: string): ProblemError {
  const detail = `${what} exists only in lab mode. Start the service with LAB_MODE=on.`;
  return new ProblemError({ code: 'lab_mode_off', detail });
}

const raceWindow = z.object({ [RACE_WINDOW_HEADER]: wholeNumberText(0, MAX_RACE_WINDOW_MS) });

/** The pause between read and write that a request may ask for in lab mode. */
export function readRaceWindowMs(
  c: Context<Env>,
  { labMode, raceWindowMs }: { labMode: boolean; raceWindowMs: number },
): number {
  const asked = c.req.header(RACE_WINDOW_HEADER);
  if (asked === undefined) return raceWindowMs;
  if (!labMode) throw labModeOff(`The header ${RACE_WINDOW_HEADER}`);
  return check(raceWindow, { [RACE_WINDOW_HEADER]: asked })[RACE_WINDOW_HEADER];
}

const failpointText = new RegExp(`^(${FAILPOINT_STEPS.join('|')})=(exit|(?:block|pause):\\d{1,5})$`);
const wrongFailpoint =
  `must be <step>=exit, <step>=block:<ms> or <step>=pause:<ms>, with a step of ${FAILPOINT_STEPS.join(', ')}, ` +
  `and at most ${MAX_FAILPOINT_MS} ms`;
const failpoint = z.object({
  [FAILPOINT_HEADER]: z.string().transform((text, context): Failpoint => {
    const [, step, said = ''] = failpointText.exec(text) ?? [];
    const [fault, time = '0'] = said.split(':');
    const ms = Number(time);
    if (step === undefined || ms > MAX_FAILPOINT_MS) context.addIssue(wrongFailpoint);
    return { step: step as FailpointStep, fault: fault as Failpoint['fault'], ms };
  }),
});

/** The fault that a request asks for in lab mode. */
export function readFailpoint(c: Context<Env>, labMode: boolean): Failpoint | undefined {
  const asked = c.req.header(FAILPOINT_HEADER);
  if (asked === undefined) return undefined;
  if (!labMode) throw labModeOff(`The header ${FAILPOINT_HEADER}`);
  return check(failpoint, { [FAILPOINT_HEADER]: asked })[FAILPOINT_HEADER];
}
