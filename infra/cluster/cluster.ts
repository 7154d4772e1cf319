import { setTimeout as sleep } from 'node:timers/promises';

import { Client } from 'pg';

import { askRedis } from '../servers/redis.ts';
import type { Stack } from '../stack/runtime.ts';
import { UserError } from '../stack/user-error.ts';
import type { Link, Links } from './links.ts';

/**
 * The running cluster, as something that can be struck: one part of it is paused, killed or started again while all the
 * others go on. It acts on the cluster that `make up` has started, or on one that a run has started for itself; both are
 * found by their names.
 *
 * Each action ends within a limit of its own, and says on failure which part it was about.
 */
export interface Cluster {
  readonly runtime: Stack['runtime'];
  /** Where it is reached; null if nothing of it is up. */
  find(): Promise<Stack | null>;
  /** In the order in which a request meets them. */
  parts(): Promise<ClusterPart[]>;
  /** Connections stay open and are even accepted; nothing is answered. */
  pause(name: string): Promise<void>;
  resume(name: string): Promise<void>;
  /** As by a power cut: nothing is flushed, nothing is said to anybody. */
  kill(name: string): Promise<void>;
  /** As it was before; returns when it answers. One that runs is left alone, one that is paused is resumed. */
  start(name: string): Promise<void>;
  /** Ends it in order and starts it again, with its data. */
  restart(name: string): Promise<void>;
  /** nginx reads its settings anew, and goes on. */
  reload(name: 'nginx'): Promise<void>;
  /** Changes the number of replicas while the others serve. */
  scale(replicas: number): Promise<void>;
  /** Which part is the primary now. Where there is one server of the kind it is that one. */
  primary(kind: RedundantKind): Promise<string>;
  /** The primary of three Postgres servers gives its place to another one, in order. */
  handOver(): Promise<void>;
  /** Returns when any one server may be lost again: at once where there is one of each, which may not. */
  untilRedundant(): Promise<void>;
  /** Sets the clock of a replica so far ahead of the machine's, or behind it. Its timers go on as they were. */
  setClock(name: string, aheadMs: number): Promise<void>;
  /** The last lines that it has said. */
  logs(name: string, lines: number): Promise<string[]>;
  /** Hears each line that a part says, once it is ready. One that is killed has said what it had said. */
  follow(name: string, onLine: (line: string) => void): Following;
  /** Runs one statement in Postgres, on a connection of its own: no fault of before is left in it. */
  statement<Row>(sql: string, values?: readonly unknown[], limitMs?: number): Promise<Row[]>;
  /** Gives one command to a Redis server, as one line; returns the reply as it came over the wire. */
  redis(name: string, command: string): Promise<string>;
  /** Those that can be struck, as `booking-1>redis`: none but in a run that has put proxies there. */
  links(): Promise<string[]>;
  /** The connections from one part to another. Throws a `UserError` where no proxy stands. */
  link(from: string, to: string): Promise<Link>;
}

/** The reading of a log, until it is disposed of. */
export interface Following extends Disposable {
  /** Whatever the part says after this is heard. It never fails: a part that is not there has nothing to say. */
  ready: Promise<void>;
}

/** What there are three of with HA=on. */
export type RedundantKind = 'redis' | 'postgres';

export interface ClusterPart {
  /**
   * `nginx`, `booking-1`, `redis`, `quorum-1`, `postgres`: the same in both ways of running. Where the servers are there
   * three times: `redis-1`, `postgres-1`, and of those that watch them `sentinel-1`, `etcd-1` and `router`.
   * With WATCH=on: `prometheus`, `exporter-nginx`, `exporter-redis` and `exporter-postgres`, in Docker `grafana`.
   */
  name: string;
  kind: 'nginx' | 'replica' | 'redis' | 'postgres' | 'watcher';
  state: 'running' | 'paused' | 'stopped';
  /** How a replica names itself in answers: by this, or by this, a hyphen and the number of its process. */
  instance: string;
}

/** What differs between the two ways of running. A part that is asked for by name has been found before. */
export interface ClusterRuntime<Part extends ClusterPart = ClusterPart> extends Pick<
  Cluster,
  'runtime' | 'find' | 'scale' | 'follow'
> {
  parts(): Promise<Part[]>;
  pause(part: Part): Promise<void>;
  resume(part: Part): Promise<void>;
  kill(part: Part): Promise<void>;
  start(part: Part): Promise<void>;
  restart(part: Part): Promise<void>;
  reload(part: Part): Promise<void>;
  logs(part: Part, lines: number): Promise<string[]>;
  links?: Links | undefined;
  /** Of three servers each; left out where there are none. Null while no server is the primary. */
  primary?(kind: RedundantKind): Promise<string | null>;
  handOver?(leader: string): Promise<void>;
  assertRedundant?(): Promise<void>;
  /** Throws, or is left out, where the clocks of the replicas are the machine's. */
  setClock?(part: Part, aheadMs: number): Promise<void>;
}

/** Of a cluster that no run has started for itself. */
export const UNSETTABLE_CLOCK =
  "the clocks of the replicas are the machine's: only a run that asks for others has them";

// A signal, or one question to a local engine: each takes some milliseconds, on a busy machine a second.
const SIGNAL_MS = 10_000;
// A replica is given 20 s to end in order, Postgres a minute to answer again (a recovery after a kill).
const START_MS = 90_000;
// Each of up to 32 replicas is started, found by nginx, or ends what it has under way.
const SCALE_MS = 180_000;
// What is left of a time-out of Patroni, and then a base backup of what was sold.
const REDUNDANT_MS = 120_000;
const REDUNDANT_POLL_MS = 200;
// Longer than any statement of a console or a drill takes while Postgres is well.
const STATEMENT_MS = 10_000;

export function clusterOf<Part extends ClusterPart>(platform: ClusterRuntime<Part>): Cluster {
  /** Runs an action on a part that there is, within a limit. */
  async function act<T>(
    action: string,
    name: string,
    limitMs: number,
    run: (part: Part) => Promise<T>,
  ): Promise<T> {
    const parts = await platform.parts();
    const part = parts.find((part) => part.name === name);
    if (!part) {
      const known = parts.map((part) => part.name).join(', ');
      throw new UserError(`there is no part ${name}: ${known || 'nothing is running'}`);
    }
    return inTime(`${action} ${name}`, limitMs, run(part));
  }

  return {
    runtime: platform.runtime,
    find: platform.find,
    parts: platform.parts,
    follow: platform.follow,
    pause: (name) =>
      act('pause', name, SIGNAL_MS, async (part) => {
        refuseUnlessRunning('pause', part);
        if (part.state === 'running') await platform.pause(part);
      }),
    resume: (name) =>
      act('resume', name, SIGNAL_MS, async (part) => {
        refuseUnlessRunning('resume', part);
        if (part.state === 'paused') await platform.resume(part);
      }),
    kill: (name) =>
      act('kill', name, SIGNAL_MS, async (part) => {
        refuseUnlessRunning('kill', part);
        await platform.kill(part);
      }),
    start: (name) =>
      act('start', name, START_MS, async (part) => {
        if (part.state === 'stopped') await platform.start(part);
        if (part.state === 'paused') await platform.resume(part);
      }),
    restart: (name) => act('restart', name, START_MS, (part) => platform.restart(part)),
    reload: (name) =>
      act('reload', name, SIGNAL_MS, async (part) => {
        refuseUnlessRunning('reload', part);
        await platform.reload(part);
      }),
    scale: (replicas) => inTime(`scale to ${replicas} replicas`, SCALE_MS, platform.scale(replicas)),
    logs: (name, lines) => act('logs of', name, SIGNAL_MS, (part) => platform.logs(part, lines)),
    primary: (kind) => inTime(`ask for the primary of ${kind}`, SIGNAL_MS, primaryOf(kind)),
    handOver: () =>
      inTime('hand over postgres', START_MS, async () => {
        if (!(await isRedundant()) || !platform.handOver)
          throw new UserError('there is one Postgres, which can give its place to nobody: HA=on');
        await platform.handOver(await primaryOf('postgres'));
      }),
    untilRedundant: () =>
      inTime('wait until any server may be lost', REDUNDANT_MS, async (signal) => {
        if (!(await isRedundant())) return;
        while (!signal.aborted) {
          const isThere = await platform.assertRedundant?.().then(
            () => true,
            () => false,
          );
          if (isThere !== false) return;
          await sleep(REDUNDANT_POLL_MS);
        }
      }),
    setClock: (name, aheadMs) =>
      act('set the clock of', name, SIGNAL_MS, async (part) => {
        refuseUnlessRunning('set the clock of', part);
        if (!platform.setClock) throw new UserError(UNSETTABLE_CLOCK);
        await platform.setClock(part, aheadMs);
      }),

    async statement<Row>(sql: string, values: readonly unknown[] = [], limitMs = STATEMENT_MS) {
      const { postgresUrl } = await theStack();
      const client = new Client({
        connectionString: postgresUrl,
        connectionTimeoutMillis: limitMs,
        query_timeout: limitMs,
        application_name: 'lastseat-cluster',
      });
      client.on('error', () => {}); // one that is cut off fails the statement
      try {
        await client.connect();
        return (await client.query(sql, [...values])).rows as Row[];
      } catch (cause) {
        throw new UserError(`statement in postgres: ${(cause as Error).message}`, { cause });
      } finally {
        // One that hangs would wait for its goodbye to be read.
        await inTime('close', CLOSE_MS, client.end()).catch(() => {});
      }
    },

    redis: (name, command) =>
      act(command.split(' ')[0] ?? '', name, SIGNAL_MS, async (part) => {
        if (part.kind !== 'redis') throw new UserError(`${name} is no Redis server`);
        const { redisUrl, quorumUrls } = await theStack();
        if (name.startsWith('redis-'))
          throw new UserError(`${name} is one of three: ask the primary, ${redisUrl}`);
        const number = Number(/^quorum-(\d+)$/.exec(name)?.[1] ?? 0);
        const url = number === 0 ? redisUrl : quorumUrls[number - 1];
        const reply = await askRedis(url ?? '', command).catch((cause: unknown) => {
          throw new UserError(`${name} does not answer ${command}`, { cause });
        });
        if (reply.startsWith('-'))
          throw new UserError(`${name} refuses ${command}: ${reply.slice(1).trim()}`);
        return reply;
      }),

    links: async () => (await platform.links?.names()) ?? [],
    async link(from, to) {
      const link = await platform.links?.between(from, to);
      if (link === undefined) throw new UserError(`no proxy stands between ${from} and ${to}`);
      return link;
    },
  };

  async function isRedundant(): Promise<boolean> {
    return (await theStack()).ha;
  }

  async function primaryOf(kind: RedundantKind): Promise<string> {
    if (!(await isRedundant())) return kind;
    const name = await platform.primary?.(kind);
    if (name == null) throw new UserError(`no server of ${kind} is the primary`);
    return name;
  }

  async function theStack(): Promise<Stack> {
    const stack = await platform.find();
    if (stack === null) throw new UserError('nothing is running: make up');
    return stack;
  }
}

function refuseUnlessRunning(action: string, { name, state }: ClusterPart): void {
  if (state === 'stopped') throw new UserError(`${action} ${name}: it is not running`);
}

const CLOSE_MS = 500;

/** What goes on after its time is nobody's any more: its end, good or bad, is not waited for. */
async function inTime<T>(
  what: string,
  limitMs: number,
  work: Promise<T> | ((signal: AbortSignal) => Promise<T>),
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const isLate = new AbortController();
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      isLate.abort();
      reject(new UserError(`${what}: not done within ${limitMs / 1_000} s`));
    }, limitMs);
  });
  const working = typeof work === 'function' ? work(isLate.signal) : work;
  working.catch(() => {});
  try {
    return await Promise.race([working, late]);
  } catch (cause) {
    if (cause instanceof UserError) throw cause;
    throw new UserError(`${what}: ${(cause as Error).message}`, { cause });
  } finally {
    clearTimeout(timer);
  }
}
