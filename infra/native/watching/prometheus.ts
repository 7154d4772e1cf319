import { chownSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { parse } from 'yaml';

import type { Binary } from '../../servers/binaries.ts';
import type { Part } from '../parts.ts';
import { makePrivateDir, ownerOf, repository } from '../places.ts';
import { EXPORTERS, PROMETHEUS } from './members.ts';

/** A sale of a day at five seconds and thirty replicas is some hundred megabytes. */
const MOST_DATA = '1GB';

interface ScrapeConfig {
  job_name: string;
  [setting: string]: unknown;
}

/**
 * Prometheus with the jobs and the rules of infra/watching. Where to look is not in its settings but in files beside them,
 * one for each job: it notices by itself when they change.
 */
export function prometheusPart(options: {
  binary: Binary;
  dataDir: string;
  portOf: (name: string) => number;
}): Part {
  const { binary, dataDir, portOf } = options;
  const dir = prometheusDir(dataDir);
  const user = ownerOf(dir, 'prometheus', 'nobody');
  makePrivateDir(dir, user);
  mkdirSync(join(dir, 'targets'), { recursive: true });
  // Its own copies: its user may not be able to read the repository.
  const files = {
    'prometheus.yml': nativeSettings(readWatching('prometheus.yml'), portOf),
    'rules.yml': readWatching('rules.yml'),
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text, { mode: 0o644 });
  const url = `http://127.0.0.1:${portOf(PROMETHEUS)}`;
  return {
    name: PROMETHEUS,
    command: binary.path,
    args: [
      `--config.file=${join(dir, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(dir, 'data')}`,
      `--storage.tsdb.retention.size=${MOST_DATA}`,
      `--web.listen-address=${new URL(url).host}`,
    ],
    cwd: dir,
    env: {},
    user,
    stopSignal: 'SIGTERM',
    settings: JSON.stringify(files),
    url,
    probe: (at) => expectOk(`${at}/-/ready`),
  };
}

/** A file of infra/watching. */
export function readWatching(name: string): string {
  return readFileSync(join(repository, 'infra/watching', name), 'utf8');
}

/** The settings for Compose, where names are addresses, with files in place of names. */
function nativeSettings(text: string, portOf: (name: string) => number): string {
  const { scrape_configs: jobs, ...others } = parse(text) as { scrape_configs: ScrapeConfig[] };
  const scrape_configs = jobs.map(foundByFile);
  // JSON is YAML, which is what Prometheus reads.
  const settings = JSON.stringify({ ...others, scrape_configs }, null, 2);
  return EXPORTERS.reduce(
    (text, name) => text.replaceAll(new RegExp(`\\b${name}:\\d+`, 'g'), `127.0.0.1:${portOf(name)}`),
    settings,
  );
}

function foundByFile(job: ScrapeConfig): ScrapeConfig {
  const settings = Object.entries(job).filter(([setting]) => !/^(dns_sd|static)_configs$/.test(setting));
  // An asterisk, so that whoever wants to have something else watched lays a file beside ours.
  const files = [`targets/${job.job_name}*.json`];
  const file_sd_configs = [{ files, refresh_interval: '5s' }];
  return { ...Object.fromEntries(settings), job_name: job.job_name, file_sd_configs };
}

export interface Target {
  address: string;
  /** Its name for people. */
  instance: string;
}

/** Tells a Prometheus that runs, or that will, where the targets of a job are. */
export function writeTargets(dataDir: string, job: string, targets: readonly Target[]): void {
  const dir = prometheusDir(dataDir);
  const path = join(dir, 'targets', `${job}.json`);
  const groups = targets.map(({ address, instance }) => ({ targets: [address], labels: { instance } }));
  // All or nothing: it may be reading.
  writeFileSync(`${path}.new`, `${JSON.stringify(groups, null, 2)}\n`, { mode: 0o644 });
  const user = ownerOf(dir, 'prometheus', 'nobody');
  if (user) chownSync(`${path}.new`, user.uid, user.gid);
  renameSync(`${path}.new`, path);
}

export function prometheusDir(dataDir: string): string {
  return join(dataDir, PROMETHEUS);
}

const askTimeoutMs = 2_000;

export async function expectOk(url: string): Promise<void> {
  const response = await fetch(url, { signal: AbortSignal.timeout(askTimeoutMs) });
  const body = await response.text();
  if (!response.ok) throw new Error(`${url} says ${response.status} ${body}`);
}
