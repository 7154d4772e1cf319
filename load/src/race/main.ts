import { writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';

import { findCluster } from '@lastseat/infra/cluster';
import { runWithOptions, UserError } from '@lastseat/infra/command-line';
import { count } from '@lastseat/lab-frame/words.ts';

import { createRunFolder, runsFolder } from '../runs/store.ts';
import { findTarget, refuseSilent } from '../target.ts';
import { openOracle } from '../truth.ts';
import { keepRace, readRaces } from './keep-race.ts';
import { HELP, readOptions, type Options } from './options.ts';
import { racePage } from './race-page.ts';
import { overlaps } from './race.ts';
import { recordRace } from './record-race.ts';

await runWithOptions({ help: HELP, readOptions }, main);

async function main(options: Options): Promise<number> {
  const target = await findTarget({ url: undefined, databaseUrl: undefined, replicas: undefined });
  await refuseSilent(target);
  await using oracle = await openOracle(target.postgresUrl);
  const cluster = await findCluster();
  const folder = createRunFolder(runsFolder(process.env), 'race', new Date());
  for (const strategy of options.strategies) {
    const race = await recordRace({ target, oracle, cluster }, { ...options, strategy });
    if (race.buyers.every(({ marks }) => marks.length === 0)) {
      throw new UserError('the replicas tell no marks: only in lab mode do they (make up)');
    }
    keepRace(folder, race);
    const verdict = race.rows > race.tickets ? 'OVERSOLD' : 'exact';
    console.log(
      `${strategy.padEnd(15)} ${count(race.rows, 'booking')} for ${count(race.tickets, 'ticket')}  ${verdict}  ` +
        `${overlaps(race)} overlapped`,
    );
  }
  const path = join(folder, 'race.html');
  writeFileSync(path, racePage(readRaces(folder)));
  console.log(`Look at it: ${relative(process.cwd(), path)}`);
  return 0;
}
