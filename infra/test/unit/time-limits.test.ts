import { readFileSync } from 'node:fs';

import { expect, test } from 'vitest';

import {
  DEFAULT_DRAIN_DELAY_MS,
  KEEP_ALIVE_TIMEOUT_MS,
  PROXY_IDLE_TIMEOUT_MS,
  PROXY_READ_TIMEOUT_MS,
  STOPPED_WITHIN_MS,
} from '../../../services/booking/src/time-limits.ts';
import { stopTimeoutMs } from '../../native/parts.ts';

/** The service derives its bounds from one another in one file. Here are those of the files of configuration. */

const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
const nginx = read('nginx/nginx.conf');
const compose = read('docker-compose.yml');

/** Every value of a directive of nginx.conf that is indented as deeply as that. */
function all(directive: string, indent: number): number[] {
  const lines = nginx.matchAll(new RegExp(`^ {${indent}}${directive} (\\d+)(m?s);`, 'gm'));
  return [...lines].map(([, number, unit]) => Number(number) * (unit === 's' ? 1_000 : 1));
}

/** Of one service of docker-compose.yml. */
function stopGraceMs(service: string): number {
  const [, text = ''] = new RegExp(`^  ${service}:\\n((?: {4}.*\\n|\\n)+)`, 'm').exec(compose) ?? [];
  return Number(/^ {4}stop_grace_period: (\d+)s/m.exec(text)?.[1]) * 1_000;
}

test('nginx waits for a booking as long as the service believes', () => {
  expect(all('proxy_read_timeout', 2)).toEqual([PROXY_READ_TIMEOUT_MS]);
});

test('nginx gives a read up before a booking, and a handshake before both', () => {
  const [readMs = 0, connectMs = 0] = [...all('proxy_read_timeout', 6), ...all('proxy_connect_timeout', 2)];
  expect([connectMs, readMs, PROXY_READ_TIMEOUT_MS]).toEqual(
    [connectMs, readMs, PROXY_READ_TIMEOUT_MS].toSorted((a, b) => a - b),
  );
  expect(connectMs).toBeGreaterThan(0);
});

test('it is nginx that closes its idle connections to a replica, and a replica that stops waits for it', () => {
  const idle = all('keepalive_timeout', 4);
  expect(idle).toEqual(Array.from(nginx.matchAll(/^ {2}upstream /gm), () => PROXY_IDLE_TIMEOUT_MS));
  expect(KEEP_ALIVE_TIMEOUT_MS).toBeGreaterThan(PROXY_IDLE_TIMEOUT_MS);
  const drainDelayMs = Number(/DRAIN_DELAY_MS: '(\d+)'/.exec(compose)?.[1]);
  expect(drainDelayMs).toBe(DEFAULT_DRAIN_DELAY_MS);
  expect(drainDelayMs).toBeGreaterThan(PROXY_IDLE_TIMEOUT_MS);
});

test('a replica and nginx may finish before they are killed, in both ways of running', () => {
  const [nginxMs = 0] = all('worker_shutdown_timeout', 0);
  expect(nginxMs).toBeGreaterThan(PROXY_READ_TIMEOUT_MS);
  expect(stopGraceMs('nginx')).toBeGreaterThan(nginxMs);
  expect(stopGraceMs('booking')).toBeGreaterThan(STOPPED_WITHIN_MS);
  expect(stopTimeoutMs).toBeGreaterThan(Math.max(nginxMs, STOPPED_WITHIN_MS));
});

test.each(['homes', 'reads'])(
  'a replica that failed is left alone for longer than a booking waits (%s)',
  (file) => {
    const [, seconds] = /fail_timeout=(\d+)s/.exec(read(`nginx/docker/${file}.conf`)) ?? [];
    expect(Number(seconds) * 1_000).toBeGreaterThan(PROXY_READ_TIMEOUT_MS);
  },
);
