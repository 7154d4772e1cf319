import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdtemp, open, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { freePort } from './free-port.ts';
import { continueTree, freezeTree, killTree, signalAll, treeOf, waitUntilGone } from './processes.ts';
import type { ProcessEntry } from './processes.ts';
import { retryWhenPortTaken, waitUntilAnswering } from './server.ts';
import type { Server, ServerKind } from './server.ts';
import type { ServiceUser } from './service-user.ts';
import { dieWithParent } from './watchdog.ts';

export interface NativeServerKind extends ServerKind {
  command: string;
  /** The signal that asks for an orderly end. */
  stopSignal: NodeJS.Signals;
  user: ServiceUser | null;
  /** Fills an empty directory with what the server needs before its first start. */
  prepare(dir: string): Promise<void>;
  args(dir: string, port: number): string[];
}

// Redis writes its last second, Postgres a checkpoint: well under a second each. Afterwards it is killed.
const stopTimeoutMs = 15_000;
const killTimeoutMs = 5_000;
// A signal takes effect at once, unless the process waits for a disk.
const pauseTimeoutMs = 5_000;

/** A server as a plain process with its data in a fresh temporary directory. It ends with us, however we end. */
export function startNativeServer(kind: NativeServerKind): Promise<Server> {
  return retryWhenPortTaken(async () => {
    const port = await freePort();
    const url = kind.url(port);
    const dir = await mkdtemp(join(tmpdir(), `lastseat-${kind.name}-`));
    if (kind.user) await chown(dir, kind.user.uid, kind.user.gid);
    const logPath = join(dir, 'server.log');
    let child: ChildProcess | null = null;

    const isRunning = () => child !== null && child.exitCode === null && child.signalCode === null;
    const tree = () => (child?.pid === undefined ? [] : treeOf(child.pid));

    async function start() {
      const log = await open(logPath, 'a');
      const started = spawn(kind.command, kind.args(dir, port), {
        cwd: dir,
        stdio: ['ignore', log.fd, log.fd],
        detached: true, // Ctrl-C in the terminal is for the test runner; it decides what becomes of its servers
        ...kind.user,
      });
      child = started;
      started.unref();
      try {
        await once(started, 'spawn');
      } finally {
        await log.close();
      }
      dieWithParent(started, dir);
      await waitUntilAnswering(kind, url, {
        hasDied: () => !isRunning(),
        logTail: async () => (await readFile(logPath, 'utf8')).slice(-2_000),
      });
    }

    async function kill() {
      if (child?.pid === undefined || !isRunning()) return;
      await waitForExit(killTree(child.pid), killTimeoutMs);
    }

    async function stop() {
      if (!isRunning()) return;
      await resume(); // a frozen process hears nothing
      const processes = tree();
      signalAll(processes.slice(0, 1), kind.stopSignal);
      if (!(await waitForExit(processes, stopTimeoutMs))) await kill();
    }

    async function waitForExit(processes: ProcessEntry[], timeoutMs: number) {
      const gone = await waitUntilGone(processes, timeoutMs);
      if (gone && child && isRunning()) {
        // Gone for the kernel, not yet for Node; which, with nothing else to do, would end before it notices.
        child.ref();
        await once(child, 'exit');
      }
      return gone;
    }

    async function pause() {
      if (child?.pid === undefined || !isRunning()) throw new Error(`${kind.name} is not running`);
      await freezeTree(child.pid, pauseTimeoutMs);
    }

    async function resume() {
      if (child?.pid !== undefined) await continueTree(child.pid, pauseTimeoutMs);
    }

    async function restart({ keepData = true }: { keepData?: boolean } = {}) {
      await stop();
      if (!keepData) {
        for (const name of await readdir(dir)) await rm(join(dir, name), { recursive: true });
        await kind.prepare(dir);
      }
      await start();
    }

    async function dispose() {
      await kill();
      await rm(dir, { recursive: true, force: true });
    }

    try {
      await kind.prepare(dir);
      await start();
    } catch (error) {
      await dispose();
      throw error;
    }
    return {
      runtime: 'native',
      url,
      port,
      kill,
      stop,
      restart,
      pause,
      resume,
      [Symbol.asyncDispose]: dispose,
    };
  });
}
