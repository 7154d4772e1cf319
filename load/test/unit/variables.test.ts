import { VARIABLES } from '@lastseat/infra/command-line';
import { expect, it } from 'vitest';

import { variables as ofBench } from '#src/bench/options.ts';
import { variables as ofChallenge } from '#src/challenge/options.ts';
import { variables as ofConsole } from '#src/console/options.ts';
import { variables as ofDrill } from '#src/drills/options.ts';
import { variables as ofLoad } from '#src/options.ts';
import { variables as ofPitfalls } from '#src/pitfalls/options.ts';
import { variables as ofRace } from '#src/race/options.ts';
import { variables as ofReport } from '#src/run-report/options.ts';
import { variables as ofSoak } from '#src/soak/options.ts';
import { variables as ofSwarm } from '#src/swarm/options.ts';

it.each([
  ['load', ofLoad],
  ['bench', ofBench],
  ['console', ofConsole],
  ['race', ofRace],
  ['drill', ofDrill],
  ['soak', ofSoak],
  ['challenge', ofChallenge],
  ['pitfalls', ofPitfalls],
  ['report', ofReport],
  ['test-swarm', ofSwarm],
])('what %s reads may stand on the command line of make', (_program, variables) => {
  expect(variables().filter((name) => !VARIABLES.includes(name))).toEqual([]);
});
