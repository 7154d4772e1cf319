import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { readRaces } from '../race/keep-race.ts';
import { racePage } from '../race/race-page.ts';
import type { StoredRun } from '../runs/store.ts';
import { replicaInWords } from '../runs/words.ts';
import { ALL_RACES, reportHtml } from './report-html.ts';
import { reportMarkdown } from './report-markdown.ts';
import { winnersOf } from './winners.ts';

/** Beside `run.json`: `report.html` and `report.md`, and the races where not all of them fit. Lines of `others` lie over the charts. Returns the page's path. */
export async function writeReport(
  { folder, run }: StoredRun,
  others: readonly StoredRun[] = [],
): Promise<string> {
  const path = join(folder, 'report.html');
  const winners = await winnersOf(folder, run);
  const races = readRaces(folder);
  for (const buyer of races.flatMap(({ buyers }) => buyers))
    buyer.instance &&= replicaInWords(run, buyer.instance);
  const page = reportHtml([run, ...others.map(({ run }) => run)], { winners, races });
  writeFileSync(path, page);
  if (page.includes(`href="${ALL_RACES}"`)) writeFileSync(join(folder, ALL_RACES), racePage(races));
  writeFileSync(join(folder, 'report.md'), reportMarkdown(run));
  return path;
}
