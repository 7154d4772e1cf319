import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Race } from './race.ts';

const NAME = /^race-.+\.json$/;

/** Beside what else a run has left: `race-fenced-lock.json`, `race-fenced-lock-pause-holder.json`. */
export function keepRace(folder: string, race: Race): void {
  const name = ['race', race.strategy, race.fault].filter(Boolean).join('-');
  writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(race)}\n`);
}

/** The recorded races of a folder; the one without a guard first, because the others answer it. */
export function readRaces(folder: string): Race[] {
  return readdirSync(folder)
    .filter((name) => NAME.test(name))
    .map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Race)
    .toSorted((a, b) => rank(a) - rank(b) || nameOf(a).localeCompare(nameOf(b)));
}

function rank({ strategy, fault }: Race): number {
  return (fault === undefined ? 0 : 2) + (strategy === 'no-lock' ? 0 : 1);
}

function nameOf({ fault = '', strategy }: Race): string {
  return `${fault} ${strategy}`;
}
