import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Race } from './race.ts';

const NAME = /^race-.+\.json$/;

/** Beside what else a run has left: `race-fenced-lock.json`. */
export function keepRace(folder: string, race: Race): void {
  writeFileSync(join(folder, `race-${race.strategy}.json`), `${JSON.stringify(race)}\n`);
}

/** The recorded races of a folder; the one without a guard first, because the others answer it. */
export function readRaces(folder: string): Race[] {
  return readdirSync(folder)
    .filter((name) => NAME.test(name))
    .map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Race)
    .toSorted((a, b) => rank(a) - rank(b) || a.strategy.localeCompare(b.strategy));
}

function rank({ strategy }: Race): number {
  return strategy === 'no-lock' ? 0 : 1;
}
