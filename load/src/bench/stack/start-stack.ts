import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { createLinks, type LinkKind, type NativeLinks } from '@lastseat/infra/cluster';
import { UsageError } from '@lastseat/infra/command-line';
import { dockerRuntime } from '@lastseat/infra/docker';
import { nativeRuntime, pidsOf } from '@lastseat/infra/native';
import { findBinary, freePort, runAfterParent, type Program } from '@lastseat/infra/servers';
import type { Runtime, Stack, StackOptions } from '@lastseat/infra/stack';

import {
  containerLimits,
  containerPids,
  containerReplicaNames,
  containerVersion,
  docker,
  type Limits,
} from './containers.ts';
import { cpuByPart, type StackPart } from './cpu-by-part.ts';
import { startFronts, type Fronts } from './fronts.ts';

/** The stack that a bench starts for itself, so that the CPU time of each part is known and nobody else uses it. */
export interface BenchStack
  extends AsyncDisposable, Pick<Stack, 'url' | 'postgresUrl' | 'redisUrl' | 'quorumUrls'> {
  runtime: Runtime['name'];
  /** What it is called, and natively the folder that it lives in. */
  project: string;
  home: string;
  /** As nginx itself or its image tells. */
  nginxVersion: string;
  /** Processes have none. */
  limits: Limits;
  scale(replicas: number): Promise<void>;
  /** What it is made of, anew: after a part has been started again by somebody else. */
  findProcesses(): void;
  /** Those that run now, where they call themselves something else in their answers. */
  replicaNames(): Record<string, string>;
  /** Of which each knows only so many of the replicas. Undefined where they are containers, which nginx finds by name. */
  startFronts?: (numbers: readonly number[], signal: AbortSignal) => Promise<Fronts>;
  /** Natively, where proxies were asked for: what they can do to the connections between the parts. */
  links?: NativeLinks | undefined;
  /** Those of the replicas can be set. */
  clocks: boolean;
  /** The first process of each part that runs now, as this machine sees it, by the part's name. */
  pids(): Record<string, number>;
  /** CPU seconds that each part has used so far; null where that cannot be read. */
  cpuSeconds(): Record<StackPart, number> | null;
}

/** What all figures but those of the sweep are about. */
export const REPLICAS = 2;

// Three is the smallest quorum, and what docker-compose.yml has.
const QUORUM = 3;

/**
 * Starts the same topology as `make up` under a name and in a directory of its own: beside whatever else runs, and
 * gone at the end, also if we are killed.
 */
export async function startStack(
  env: NodeJS.ProcessEnv,
  {
    links: kinds = [],
    clocks = false,
    ...options
  }: Partial<Omit<StackOptions, 'port'>> & { links?: readonly LinkKind[]; clocks?: boolean } = {},
): Promise<BenchStack> {
  const name = chooseRuntime(env);
  if (kinds.includes('nginx') && name === 'docker')
    throw new UsageError('the connections of nginx can be struck natively only: RUNTIME=native');
  const project = `lastseat-bench-${process.pid}`;
  const home = mkdtempSync(join(tmpdir(), 'lastseat-bench-'));
  const isNative = name === 'native';
  const links = isNative && kinds.length > 0 ? createLinks(kinds) : undefined;
  const runtime = isNative
    ? nativeRuntime(project, { home, ways: links, clocks })
    : dockerRuntime(project, { links: kinds.length > 0, clocks });
  const findPids = () => (isNative ? pidsOf(project, home) : containerPids(project));
  const callOff = runAfterParent('sh', '-c', '"$@"; rm -rf "$0"', home, ...downCommand(project, home, name));

  async function tearDown() {
    await runtime.down({ volumes: true });
    await links?.[Symbol.asyncDispose]();
    rmSync(home, { recursive: true, force: true });
    callOff();
  }

  try {
    const stack = await runtime.up({
      replicas: REPLICAS,
      quorum: QUORUM,
      ...options,
      port: await freePort(),
    });
    let pids = findPids();
    let frontPids = {};
    return {
      ...stack,
      links,
      clocks,
      project,
      home,
      nginxVersion:
        (isNative ? findBinary('nginx')?.version : containerVersion(project, 'nginx')) ?? 'unknown',
      limits: isNative ? { cpus: {}, memoryMb: {} } : containerLimits(project),
      async scale(replicas) {
        await runtime.scale(replicas);
        pids = findPids();
      },
      findProcesses: () => void (pids = findPids()),
      replicaNames: () => (isNative ? {} : containerReplicaNames(project)),
      ...(isNative && {
        async startFronts(numbers, signal) {
          const fronts = await startFronts(join(home, 'native', project, 'nginx'), numbers, signal);
          frontPids = fronts.pids;
          return fronts;
        },
      }),
      pids: findPids,
      cpuSeconds: () => cpuByPart({ ...pids, ...frontPids }),
      [Symbol.asyncDispose]: tearDown,
    };
  } catch (error) {
    await tearDown();
    throw error;
  }
}

/** Ctrl-C on a terminal also reaches the servers that are just being started: that they fail then is no news. */
export async function startUnlessInterrupted(
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
  options: Pick<Partial<StackOptions>, 'settings'> = {},
): Promise<BenchStack> {
  try {
    const stack = await startStack(env, options);
    if (!signal.aborted) return stack;
    await stack[Symbol.asyncDispose]();
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  throw signal.reason;
}

/**
 * Processes rather than containers where there is a choice: nothing stands between the parts but loopback. Only where
 * they would have to be installed first and Docker is at hand is it the other way round.
 */
export function chooseRuntime({ RUNTIME: wanted = '' }: NodeJS.ProcessEnv): Runtime['name'] {
  if (wanted === 'native' || wanted === 'docker') return wanted;
  if (wanted !== '') throw new UsageError(`RUNTIME=${wanted}: must be native or docker`);
  const isInstalled = (['postgres', 'redis-server', 'nginx'] as const).every(isUsable);
  return isInstalled || !dockerAnswers() ? 'native' : 'docker';
}

function isUsable(program: Program): boolean {
  try {
    return findBinary(program) !== null;
  } catch {
    return false; // there is one, but it is too old
  }
}

function dockerAnswers(): boolean {
  try {
    docker('compose', 'version');
    docker('version');
    return true;
  } catch {
    return false;
  }
}

/** Of REPLICAS and the like nothing is handed on: what they say to a bench (`REPLICAS=1,2`) is wrong for a stack. */
export function downCommand(project: string, home: string, runtime: Runtime['name']): string[] {
  const command = fileURLToPath(new URL('../../../../infra/stack/main.ts', import.meta.url));
  const none = ['REPLICAS', 'PORT', 'QUORUM', 'FOLLOW'].map((name) => `${name}=`);
  const environment = ['env', ...none, `COMPOSE_PROJECT_NAME=${project}`, `LASTSEAT_HOME=${home}`];
  return environment.concat(process.execPath, command, 'down', '--volumes', '--runtime', runtime);
}
