import { readFileSync } from 'node:fs';

import { parse } from 'yaml';

import { WATCHING_PROGRAMS } from '../../native/watching/members.ts';
import { ensureInstalled } from '../../servers/index.ts';

const read = (path: string) => readFileSync(new URL(`../../watching/${path}`, import.meta.url), 'utf8');

/** Why this machine cannot watch, or null: Prometheus and its exporters are installed where that is possible. */
export async function obstacleToWatching(): Promise<string | null> {
  try {
    await ensureInstalled(['postgres', 'redis-server', 'nginx', ...WATCHING_PROGRAMS], () => {});
    return null;
  } catch {
    return `no ${WATCHING_PROGRAMS.join(', ')}: they cannot be installed here`;
  }
}

export interface Rule {
  record?: string;
  alert?: string;
  expr: string;
  for?: string;
}

export function rules(): Rule[] {
  const { groups } = parse(read('rules.yml')) as { groups: { rules: Rule[] }[] };
  return groups.flatMap(({ rules }) => rules);
}

/** An alert is a query, a comparison and a number: only so can be told whether the query still finds anything. */
export function queryOf({ alert, expr }: Rule): string {
  if (alert === undefined) return expr;
  const [, query] = /^(.*\S) [<>] [\d.]+$/s.exec(expr) ?? [];
  if (query === undefined) throw new Error(`${alert} is no query that is compared with a number: ${expr}`);
  return query;
}

export interface Dashboard {
  panels: {
    title: string;
    gridPos: { x: number; y: number; w: number; h: number };
    datasource?: { uid: string };
    targets?: { expr: string }[];
  }[];
  annotations: { list: { name: string; expr: string }[] };
}

export const dashboard = () => JSON.parse(read('grafana/sale.json')) as Dashboard;

export const readme = () => read('README.md');

/** A Prometheus, as whoever looks at it asks it. */
export function prometheusAt(url: string) {
  async function get<T>(path: string): Promise<T> {
    const response = await fetch(`${url}/api/v1/${path}`, { signal: AbortSignal.timeout(10_000) });
    const { data, error } = (await response.json()) as { data: T; error?: string };
    if (error !== undefined) throw new Error(error);
    return data;
  }

  return {
    /** What it finds now, by the instance that it is told of. */
    async ask(query: string): Promise<{ instance: string; value: number }[]> {
      interface Found {
        result: { metric: Record<string, string>; value: [number, string] }[];
      }
      const { result } = await get<Found>(`query?query=${encodeURIComponent(query)}`);
      return result.map(({ metric, value }) => ({
        instance: metric['instance'] ?? '',
        value: Number(value[1]),
      }));
    },
    async firing(): Promise<string[]> {
      const alerts = await this.alerts();
      return alerts.flatMap(({ name, state }) => (state === 'firing' ? [name] : []));
    },
    async alerts(): Promise<
      { name: string; state: 'pending' | 'firing'; instance: string; value: number }[]
    > {
      interface Alerts {
        alerts: { labels: Record<string, string>; state: 'pending' | 'firing'; value: string }[];
      }
      const { alerts } = await get<Alerts>('alerts');
      return alerts.map(({ labels, state, value }) => {
        const { alertname = '', instance = '' } = labels;
        return { name: alertname, state, instance, value: Number(value) };
      });
    },
  };
}
