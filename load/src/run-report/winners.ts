import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { readHistory } from '../history/read-history.ts';
import type { LabRun } from '../runs/run.ts';
import { cellInWords, replicaInWords } from '../runs/words.ts';
import { html, table, type Html } from './html.ts';

/** Who booked in one cell, from its histories: bookings by the replica that answered. */
export interface Winners {
  cell: string;
  booked: Record<string, number>;
}

export async function winnersOf(folder: string, run: LabRun): Promise<Winners[]> {
  const winners: Winners[] = [];
  for (const cell of run.cells) {
    const files = new Set(cell.slices.flatMap(({ history }) => history ?? []));
    const booked: Record<string, number> = {};
    for (const file of files) {
      const path = join(folder, file);
      if (!existsSync(path)) continue;
      for await (const { operation, outcome, instance } of readHistory(path)) {
        if (operation !== 'book' || outcome !== 'ok' || instance === null) continue;
        const name = replicaInWords(run, instance);
        booked[name] = (booked[name] ?? 0) + 1;
      }
    }
    if (Object.keys(booked).length > 0) winners.push({ cell: cellInWords(cell), booked });
  }
  return winners;
}

export function winnersSection(winners: readonly Winners[]): Html {
  if (winners.length === 0) return html``;
  const replicas = [...new Set(winners.flatMap(({ booked }) => Object.keys(booked)))].toSorted((a, b) =>
    a.localeCompare(b, 'en', { numeric: true }),
  );
  const rows = winners.map(({ cell, booked }) =>
    [cell].concat(replicas.map((name) => (booked[name] ?? 0).toLocaleString('en-US'))),
  );
  return html`<section aria-labelledby="winners">
    <h2 id="winners">Who won</h2>
    ${table('Bookings by the replica that made them', ['', ...replicas], rows)}
  </section>`;
}
