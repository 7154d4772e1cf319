import { setClock } from '../clocks/index.ts';
import { changeStack } from '../native/change.ts';
import { appIn, clocksIn, nativeRuntime, type NativeOptions } from '../native/index.ts';
import { LOG_KEEPER } from '../native/log-keeper.ts';
import { followLog, lastLines } from '../native/logs.ts';
import { stackDir } from '../native/places.ts';
import { quorumName } from '../native/redis.ts';
import { membersAt } from '../native/redundant/ask-members.ts';
import { replicaName, replicaNumber } from '../native/replicas.ts';
import { stackOf } from '../native/stack-of.ts';
import { startPart } from '../native/start-part.ts';
import { loadState, type State } from '../native/state.ts';
import { WATCHING_PARTS } from '../native/watching/members.ts';
import { REDUNDANT_PARTS } from '../redundant/members.ts';
import { assertRedundant, findPrimary, handOverPostgres } from '../redundant/primary.ts';
import { toStderr } from '../servers/install.ts';
import { continueTree, findProcess, freezeTree, killTree, waitUntilGone } from '../servers/processes.ts';
import { clusterOf, type Cluster, type ClusterPart } from './cluster.ts';
import type { NativeLinks } from './native-links.ts';

// The kernel's business: longer than this it does not take.
const SIGNAL_TIMEOUT_MS = 5_000;

/**
 * The cluster as plain processes. A signal goes to what the state file says was started here, and only if the process of
 * that number is still the one that was started; and to its children, as Postgres and nginx have them.
 */
export function nativeCluster(
  project = 'lastseat',
  { links, ...options }: Omit<NativeOptions, 'ways'> & { links?: NativeLinks | undefined } = {},
): Cluster {
  const { home, report = toStderr } = options;
  const dir = stackDir(project, home);
  const app = appIn(dir, { ...options, ways: links });
  const runtime = nativeRuntime(project, { ...options, ways: links });

  async function parts(): Promise<ClusterPart[]> {
    const state = loadState(dir);
    return state === null ? [] : namesOf(state).map((name) => partOf(name, state));
  }

  /** The number of its process. */
  function pidOf(name: string): number {
    const record = loadState(dir)?.parts[name];
    if (record === undefined || findProcess(record.pid)?.startedAt !== record.startedAt) {
      throw new Error('it is not running');
    }
    return record.pid;
  }

  /** Of whatever this stack has had. */
  const portOf = (name: string): number => loadState(dir)?.ports[name] ?? 0;

  return clusterOf({
    runtime: 'native',
    links,
    primary: (kind) => findPrimary(kind, membersAt(portOf)),
    handOver: (leader) => handOverPostgres(leader, membersAt(portOf)),
    assertRedundant: () => assertRedundant(membersAt(portOf)),
    ...(options.clocks && {
      async setClock({ name }: ClusterPart, aheadMs: number) {
        const signal = async () => void process.kill(pidOf(name), 'SIGUSR2');
        const follow = (onLine: (line: string) => void) => followLog(dir, name, onLine);
        await setClock(clocksIn(dir), { name, signal, follow }, aheadMs);
      },
    }),
    // Also while nginx is away: what is struck may be nginx.
    async find() {
      const state = loadState(dir);
      const isUp = state?.wanted != null && (await parts()).some((part) => part.state !== 'stopped');
      return isUp ? stackOf(state) : null;
    },
    parts,
    async pause({ name }) {
      await freezeTree(pidOf(name), SIGNAL_TIMEOUT_MS);
    },
    async resume({ name }) {
      await continueTree(pidOf(name), SIGNAL_TIMEOUT_MS);
    },
    async kill({ name }) {
      const pid = pidOf(name);
      if (!(await waitUntilGone(killTree(pid), SIGNAL_TIMEOUT_MS)))
        throw new Error(`pid ${pid} does not end`);
    },
    async start({ name }) {
      await changeStack(dir, report, (change) => startPart(change, app, name));
    },
    async restart({ name }) {
      await changeStack(dir, report, async (change) => {
        await change.parts.stop(name);
        await startPart(change, app, name);
      });
    },
    async reload({ name }) {
      process.kill(pidOf(name), 'SIGHUP');
    },
    async scale(replicas) {
      await runtime.scale(replicas);
    },
    logs: async ({ name }, lines) => lastLines(dir, name, lines),
    follow: (name, onLine) => followLog(dir, name, onLine),
  });
}

/** Those that there should be, and those that are still there. */
function namesOf({ wanted, parts }: State): string[] {
  const names = wanted
    ? [
        'nginx',
        ...numbered(wanted.replicas, replicaName),
        ...(wanted.ha ? REDUNDANT_PARTS : ['redis']),
        ...numbered(wanted.quorum, quorumName),
        ...(wanted.ha ? [] : ['postgres']),
        ...(wanted.watch ? WATCHING_PARTS : []),
      ]
    : [];
  const others = Object.keys(parts).filter((name) => name !== LOG_KEEPER && !names.includes(name));
  return [...names, ...others];
}

function numbered(count: number, nameOf: (number: number) => string): string[] {
  return Array.from({ length: count }, (_, index) => nameOf(index + 1));
}

function partOf(name: string, state: State): ClusterPart {
  const record = state.parts[name];
  const process = record && findProcess(record.pid);
  const isOurs = process?.startedAt === record?.startedAt;
  return {
    name,
    kind: kindOf(name),
    state: !process || !isOurs ? 'stopped' : process.isStopped ? 'paused' : 'running',
    instance: name,
  };
}

function kindOf(name: string): ClusterPart['kind'] {
  if (name === 'nginx') return name;
  if (replicaNumber(name) !== null) return 'replica';
  if (name.startsWith('postgres')) return 'postgres';
  return name.startsWith('redis') || name.startsWith('quorum') ? 'redis' : 'watcher';
}
