import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

import { findProcess, isRunning, signalAll, treeOf, waitUntilGone } from '../servers/processes.ts';
import { waitUntilAnswering } from '../servers/server.ts';
import type { ServiceUser } from '../servers/service-user.ts';
import type { PartRecord, State } from './state.ts';

/** One process of the stack. */
export interface Part {
  name: string;
  command: string;
  args: string[];
  cwd: string;
  env: Record<string, string>;
  user: ServiceUser | null;
  /** The signal that asks for an orderly end. */
  stopSignal: NodeJS.Signals;
  /** Contents of the files it reads at start; when they change, it is started anew. */
  settings: string;
  /** Where it answers, and whether it does. */
  url: string;
  probe: (url: string) => Promise<void>;
}

export interface Parts {
  /** Starts it, or anew if it was started with something else, and waits until it answers. */
  ensure(part: Part): Promise<'kept' | 'started'>;
  isRunning(name: string): boolean;
  /** Runs, and was started with just this. */
  isCurrent(part: Part): boolean;
  record(name: string): PartRecord | null;
  /** Names of all that were started and not seen to end, running or not. */
  names(): string[];
  /** Asks it to end, insists after a while, and returns when it is gone. */
  stop(name: string): Promise<void>;
  /** What this object started, newest first: what to stop if the rest cannot be started. */
  readonly started: string[];
}

// A replica answers what it has, Postgres writes a checkpoint: then it is killed. Compose: `stop_grace_period`.
export const stopTimeoutMs = 20_000;
const killTimeoutMs = 5_000;

/** The processes of one stack. They outlive us, so every change is written down at once. */
export function createParts(options: {
  state: State;
  save: () => void;
  logsDir: string;
  /** Ends waiting for something to become ready. */
  signal: AbortSignal;
}): Parts {
  const { state, save, logsDir } = options;
  const started: string[] = [];

  const record = (name: string) => state.parts[name] ?? null;

  function isPartRunning(name: string) {
    const part = record(name);
    return part !== null && isRunning(part);
  }

  const isCurrent = (part: Part) =>
    isPartRunning(part.name) && record(part.name)?.fingerprint === fingerprintOf(part);

  async function start(part: Part) {
    options.signal.throwIfAborted();
    const logPath = join(logsDir, `${part.name}.log`);
    const log = openSync(logPath, 'a');
    const startOfLog = statSync(logPath).size;
    const child = spawn(part.command, part.args, {
      cwd: part.cwd,
      env: part.env,
      stdio: ['ignore', log, log],
      detached: true,
      ...part.user,
    });
    try {
      await once(child, 'spawn');
    } finally {
      closeSync(log);
    }
    child.unref();
    const { pid = 0, startedAt = 'unknown' } = findProcess(child.pid ?? 0) ?? {};
    state.parts[part.name] = {
      pid,
      startedAt,
      stopSignal: part.stopSignal,
      fingerprint: fingerprintOf(part),
    };
    save();
    started.unshift(part.name);
    await waitUntilAnswering(part, part.url, {
      hasDied() {
        options.signal.throwIfAborted();
        return child.exitCode !== null || child.signalCode !== null;
      },
      logTail: () => readFileSync(logPath).subarray(startOfLog).toString().slice(-2_000).trimEnd(),
    });
  }

  async function stop(name: string) {
    const part = record(name);
    if (part !== null && isRunning(part)) {
      const processes = treeOf(part.pid);
      signalAll(processes, 'SIGCONT'); // a frozen process hears nothing
      signalAll(processes.slice(0, 1), part.stopSignal);
      if (!(await waitUntilGone(processes, stopTimeoutMs))) {
        signalAll([...processes, ...treeOf(part.pid)], 'SIGKILL');
        if (!(await waitUntilGone(processes, killTimeoutMs))) {
          throw new Error(`${name} (pid ${part.pid}) cannot be killed`);
        }
      }
    }
    delete state.parts[name];
    save();
  }

  return {
    started,
    record,
    isRunning: isPartRunning,
    isCurrent,
    stop,
    names: () => Object.keys(state.parts),
    async ensure(part) {
      if (isCurrent(part)) return 'kept';
      if (isPartRunning(part.name)) await stop(part.name);
      await start(part);
      return 'started';
    },
  };
}

function fingerprintOf({ command, args, env, settings }: Part): string {
  return createHash('sha256')
    .update(JSON.stringify([command, args, env, settings]))
    .digest('hex')
    .slice(0, 16);
}
