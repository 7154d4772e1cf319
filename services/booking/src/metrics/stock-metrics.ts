import { Counter, Gauge, type Registry } from 'prom-client';

import { oversoldOf } from '#src/audit-report.ts';
import { compareCountersWithRows, type Audit } from '#src/storage/audit.ts';
import { openPool } from '#src/storage/pool.ts';

import { startAuditor, type AuditorOptions } from './auditor.ts';

export interface StockOptions extends Pick<AuditorOptions<TimedAudit>, 'locks' | 'onFailed' | 'intervalMs'> {
  databaseUrl: string;
}

interface TimedAudit extends Audit {
  tookMs: number;
}

/** It adds up all bookings there are: 50 ms for each 400,000 of them. Selling waits for none of it. */
const STATEMENT_TIMEOUT_MS = 60_000;

/**
 * What Postgres says of the sales, by an audit of all events. Only the replica that audits tells it, so that a sum over
 * all replicas is right, and an alert can also rest on nobody telling it.
 */
export function tellStock(registry: Registry, options: StockOptions): AsyncDisposable {
  const { databaseUrl, onFailed } = options;
  const gauges = new Map<string, Gauge>();
  const gauge = (name: string, help: string): Gauge => {
    const made = new Gauge({ name, help, registers: [] });
    gauges.set(name, made);
    return made;
  };
  const oversold = gauge(
    'lastseat_oversold_tickets',
    'Tickets that were sold beyond the capacity of their events.',
  );
  const miscounted = gauge(
    'lastseat_miscounted_events',
    'Events whose counter says something else than their bookings.',
  );
  const events = gauge('lastseat_audited_events', 'Events that the last audit has looked at.');
  const took = gauge('lastseat_audit_duration_seconds', 'How long the last audit took.');
  const at = gauge('lastseat_audit_timestamp_seconds', 'When the last audit ended, in Unix time.');
  const audits = new Counter({
    name: 'lastseat_audits_total',
    help: 'Audits that this replica has run. One replica at a time runs them.',
    labelNames: ['outcome'] as const,
    registers: [registry],
  });
  for (const outcome of ['done', 'failed']) audits.inc({ outcome }, 0);

  function tell(audit: TimedAudit | undefined): void {
    for (const [name, each] of gauges) {
      if (audit === undefined) registry.removeSingleMetric(name);
      else registry.registerMetric(each);
    }
    if (audit === undefined) return;
    audits.inc({ outcome: 'done' });
    oversold.set(audit.differences.reduce((sum, difference) => sum + oversoldOf(difference), 0));
    miscounted.set(audit.differences.length);
    events.set(audit.events);
    took.set(audit.tookMs / 1_000);
    at.setToCurrentTime();
  }

  return startAuditor({
    ...options,
    audit: () => auditOnce(databaseUrl),
    report: tell,
    onFailed(error) {
      audits.inc({ outcome: 'failed' });
      onFailed(error);
    },
  });
}

/** On a connection that is there for as long as it takes: of all replicas one needs it, and for a moment. */
async function auditOnce(url: string): Promise<TimedAudit> {
  const startedAtMs = performance.now();
  const db = openPool({
    url,
    max: 1,
    applicationName: 'lastseat-audit',
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
  });
  try {
    const audit = await compareCountersWithRows(db);
    return { ...audit, tookMs: performance.now() - startedAtMs };
  } finally {
    await db.destroy();
  }
}
