import { expect, test } from 'vitest';
import { parse } from 'yaml';

import { capture } from '../../stack/run-command.ts';
import { parseStack, readText } from '../support/swarm/stack-file.ts';
import { dashboard, queryOf, readme, rules } from '../support/watching.ts';

/** What watches, as far as it is files: a real Prometheus runs them in another test. */

const compose = parseStack(readText('docker-compose.yml'));

test('for each alert the README says what it means', () => {
  const headings = [...readme().matchAll(/^### (.*)$/gm)].map(([, heading]) => heading);
  const alerts = rules().flatMap(({ alert }) => (alert === undefined ? [] : [alert]));
  expect(headings).toEqual(alerts);
});

test('an alert is a query that is compared with a number', () => {
  expect(rules().map(queryOf)).toHaveLength(rules().length);
  expect(queryOf({ alert: 'A', expr: 'sum(rate(x[1m])) > 0.5' })).toBe('sum(rate(x[1m]))');
  expect(() => queryOf({ alert: 'A', expr: 'absent(x)' })).toThrow(/^A is no query/);
});

test('no two panels of the dashboard lie upon each other, and each asks the Prometheus beside it', () => {
  const { panels } = dashboard();
  const fields = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, i) => `${x + (i % w)}, ${y + Math.floor(i / w)}`),
  );
  expect(new Set(fields).size).toBe(fields.length);
  const { datasources } = parse(readText('infra/watching/grafana/datasource.yml')) as {
    datasources: { uid: string; url: string }[];
  };
  const asked = panels.flatMap(({ datasource }) => (datasource === undefined ? [] : [datasource.uid]));
  expect(new Set(asked)).toEqual(new Set(datasources.map(({ uid }) => uid)));
  expect(datasources.map(({ url }) => url)).toEqual(['http://prometheus:9090']);
});

test('Prometheus looks for names that Compose knows, on a network that it shares with them', () => {
  const names = [
    ...readText('infra/watching/prometheus.yml').matchAll(/\b(exporter-\w+|booking|redis)(?=:\d|\])/g),
  ];
  const networksOf = (name: string) => compose.services[name]?.networks ?? [];
  const unknown = names.filter(
    ([name]) => !networksOf(name).some((net) => networksOf('prometheus').includes(net)),
  );
  expect(names.length).toBeGreaterThan(4);
  expect(unknown).toEqual([]);
  // A replica that is removed leaves its address to the next one on its network, whom nginx asks for a second more.
  const strangers = Object.keys(compose.services).filter((name) => networksOf(name).includes('edge'));
  expect(strangers).toEqual(['booking', 'nginx']);
});

const cli = await capture('docker', ['compose', 'version'], 10_000);

test('docker reads the profile, which is no quorum', async ({ skip }) => {
  skip(cli.code !== 0, 'docker compose is not installed');
  const command = ['COMPOSE_PROFILES=watch', 'QUORUM=', 'docker', 'compose', '--project-name', 'watched'];
  const { code, stdout, stderr } = await capture('env', [...command, 'config'], 10_000);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const { services } = parseStack(stdout);
  const exporters = ['exporter-nginx', 'exporter-postgres', 'exporter-redis'];
  expect(Object.keys(services)).toEqual(expect.arrayContaining(['prometheus', 'grafana', ...exporters]));
  expect(services['booking']?.environment?.['QUORUM_REDIS_URLS']).toBe('');
});
