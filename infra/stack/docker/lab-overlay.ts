import { chmodSync, existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';

import { PRELOADS, settableClock } from '../../clocks/index.ts';
import type { Container } from './containers.ts';
import { CONTROL_PORT, PROXIES, redisBehindProxy, SERVERS } from './proxies.ts';

/** What a run of the lab may ask for that a stack of `make up` has not. */
export interface LabParts {
  /** Files of strategies that the replicas are to load. */
  strategies: readonly string[];
  /** Connections between the replicas and their servers can be struck: of how many servers for the quorum lock. */
  links: { project: string; infra: string; quorum: readonly string[] } | null;
  /** The folder of this machine in which the clocks of the replicas are set. */
  clocks: string | null;
}

// Below /app, where Node finds the service's packages.
const INSIDE = '/app/lab';

/** What is laid over docker-compose.yml. What is mounted cannot be changed in the container. */
export function labOverlay({ strategies, links, clocks }: LabParts): object {
  const laid = [
    strategies.length > 0 ? withStrategies(strategies) : {},
    links ? withProxies(links) : {},
    clocks !== null ? withClocks(clocks) : {},
  ] satisfies Laid[];
  const volumes = laid.flatMap(({ volumes = [] }) => volumes);
  const depends = laid.flatMap(({ needs = [] }) => needs);
  return {
    services: {
      booking: {
        environment: Object.assign({}, ...laid.map(({ environment }) => environment)) as object,
        ...(volumes.length > 0 && { volumes }),
        ...(depends.length > 0 && {
          depends_on: Object.fromEntries(depends.map((name) => [name, { condition: 'service_healthy' }])),
        }),
      },
      ...(links && { [PROXIES]: proxies(links) }),
    },
  };
}

/** What the replicas get. */
interface Laid {
  environment?: Record<string, string>;
  volumes?: object[];
  needs?: string[];
}

/** The folder of each file, as it may import its neighbours. */
function withStrategies(files: readonly string[]): Laid {
  const folders = [...new Set(files.map((file) => dirname(file)))];
  const inside = (folder: string) => `${INSIDE}/${folders.indexOf(folder)}`;
  return {
    environment: {
      LAB_STRATEGIES: files.map((file) => join(inside(dirname(file)), basename(file))).join(),
    },
    volumes: folders.map((folder) => mount(folder, inside(folder))),
  };
}

function withClocks(folder: string): Laid {
  const { nodeOptions, env } = settableClock(`${INSIDE}/clocks`, `${INSIDE}/preloads`);
  return {
    environment: { ...env, NODE_OPTIONS: `--max-semi-space-size=64 ${nodeOptions}` }, // as in the image
    volumes: [mount(folder, `${INSIDE}/clocks`), mount(PRELOADS, `${INSIDE}/preloads`)],
  };
}

function withProxies({ quorum }: { quorum: readonly string[] }): Laid {
  return {
    environment: {
      DATABASE_URL: `postgres://lastseat@${PROXIES}:${SERVERS['postgres']?.listenAt}/lastseat`,
      REDIS_URL: redisBehindProxy('redis'),
      ...(quorum.length > 0 && { QUORUM_REDIS_URLS: quorum.map(redisBehindProxy).join() }),
    },
    needs: [PROXIES],
  };
}

/** Of the image of the service, which has Node, with our sources beside it. */
function proxies({ project, infra }: { project: string; infra: string }): object {
  const servers = Object.entries(SERVERS).map(([name, { port, listenAt }]) => `${listenAt}=${name}:${port}`);
  const isUp = `fetch('http://127.0.0.1:${CONTROL_PORT}').then(() => process.exit(0), () => process.exit(1))`;
  return {
    image: `${project}-booking`,
    pull_policy: 'never',
    init: true,
    read_only: true,
    cap_drop: ['ALL'],
    security_opt: ['no-new-privileges:true'],
    networks: ['data'],
    mem_limit: '256m',
    command: ['node', `${INSIDE}/infra/cluster/proxies-in-container.ts`, String(CONTROL_PORT), ...servers],
    volumes: [mount(infra, `${INSIDE}/infra`)],
    ports: [{ target: CONTROL_PORT, host_ip: '127.0.0.1' }],
    healthcheck: {
      test: ['CMD', 'node', '-e', isUp],
      interval: '10s',
      timeout: '10s',
      start_period: '30s',
      start_interval: '500ms',
    },
  };
}

function mount(source: string, target: string): object {
  return { type: 'bind', source, target, read_only: true };
}

const FILE = 'lab.json';

/** Writes the file for Compose, which reads JSON as well as YAML, beside the folder of the clocks. @returns its path */
export function writeOverlay(
  project: string,
  { clocks, ...parts }: Omit<LabParts, 'clocks'> & { clocks: boolean },
): string {
  const folder = mkdtempSync(join(tmpdir(), `${project}-`));
  const path = join(folder, FILE);
  mkdirSync(clocksBeside(path));
  chmodSync(folder, 0o755); // who reads it in a container is another user
  const overlay = labOverlay({ ...parts, clocks: clocks ? clocksBeside(path) : null });
  // In a value of Compose a dollar begins a variable.
  writeFileSync(path, JSON.stringify(overlay).replaceAll('$', '$$$$'));
  return path;
}

/** With which the stack was started, by whichever process; null where there is none, or where it is gone. */
export function overlayOf(containers: readonly Container[]): string | null {
  const files = containers.flatMap(({ files }) => files);
  return files.find((file) => basename(file) === FILE && existsSync(file)) ?? null;
}

/** Where the clocks of the replicas are set. */
export function clocksBeside(overlay: string): string {
  return join(dirname(overlay), 'clocks');
}
