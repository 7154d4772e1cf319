import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import type { Cluster } from '@lastseat/infra/cluster';
import { count, examples } from '@lastseat/lab-frame/words.ts';

import type { CheckVerdict } from '../runs/run.ts';

/** What Postgres holds of each event, in some characters: so that thousands of them can be looked at once more. */
export type Ledger = Map<number, string>;

// Adding up all bookings of a long soak.
const LIMIT_MS = 60_000;

export async function readLedger(cluster: Cluster, eventIds: readonly number[]): Promise<Ledger> {
  const rows = await cluster.statement<{ id: number; entry: string }>(
    `select i.event_id::int as id,
            concat_ws(' ', i.epoch, i.available, count(b.id),
                      coalesce(sum(hashtextextended(b.id::text, 0)::numeric), 0)) as entry
       from inventory i
       left join bookings b on b.event_id = i.event_id and b.epoch = i.epoch and b.state = 'confirmed'
      where i.event_id = any($1)
      group by i.event_id, i.epoch, i.available`,
    [eventIds],
    LIMIT_MS,
  );
  return new Map(rows.map(({ id, entry }) => [id, entry]));
}

/** When all is over: what was counted after each round is still there, and the service's own audit finds nothing. */
export async function lookAgain(
  cluster: Cluster,
  postgresUrl: string,
  before: Ledger,
): Promise<CheckVerdict[]> {
  const now = await readLedger(cluster, [...before.keys()]);
  const changed = [...before].filter(([id, entry]) => now.get(id) !== entry).map(([id]) => `event ${id}`);
  const check = 'changed-afterwards';
  return [
    changed.length === 0
      ? { check, verdict: 'passed', detail: null }
      : {
          check,
          verdict: 'failed',
          detail: `${count(changed.length, 'event')} changed after all was counted${examples(changed)}`,
        },
    await audit(postgresUrl),
  ];
}

const AUDIT = fileURLToPath(new URL('../../../services/booking/src/audit.ts', import.meta.url));

/** As `make audit`: all events, those of nobody's round among them. */
function audit(postgresUrl: string): Promise<CheckVerdict> {
  const env = { ...process.env, FIX: '', DATABASE_URL: postgresUrl };
  return new Promise((resolve) => {
    execFile(process.execPath, [AUDIT], { env, timeout: LIMIT_MS }, (error, stdout, stderr) => {
      const check = 'audit';
      if (error === null) return resolve({ check, verdict: 'passed', detail: null });
      const verdict = error.code === 1 ? 'failed' : 'not shown';
      resolve({ check, verdict, detail: (stdout || stderr).trim() });
    });
  });
}
