import { z } from '@hono/zod-openapi';
import type { Context, MiddlewareHandler } from 'hono';

import { wholeNumberText } from '#src/contract-fields.ts';
import { MAX_RACE_WINDOW_MS, RACE_WINDOW_HEADER } from '#src/contract.ts';

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
