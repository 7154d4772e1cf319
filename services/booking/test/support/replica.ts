import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

import type { BookingView, Problem } from '#src/contract.ts';

/** A replica as a process of its own, as it runs in production. */
export interface Replica extends AsyncDisposable {
  url: string;
  instanceId: string;
  pid: number;
  log: LogLine[];
  kill(signal: NodeJS.Signals): void;
  /** Its exit code, once it has ended. */
  exited: Promise<number | null>;
  book(path: string, options?: BookOptions): Promise<Answer>;
}

/** One line of its log, by pino: level 30 is info, 40 a warning, 50 an error. */
export interface LogLine {
  msg: string;
  level: number;
  [field: string]: unknown;
}

export interface BookOptions {
  body?: { customer?: string; quantity?: number };
  raceWindowMs?: number;
  failpoint?: string;
  signal?: AbortSignal;
}

export type Answer =
  | { status: 201; instanceId: string | null; body: BookingView }
  | { status: Exclude<number, 201>; instanceId: string | null; body: Problem };

const root = new URL('../../', import.meta.url);

export async function startReplica(
  instanceId: string,
  env: { DATABASE_URL: string } & NodeJS.ProcessEnv,
): Promise<Replica> {
  const child = spawn(process.execPath, ['src/main.ts'], {
    cwd: root,
    env: { PORT: '0', LAB_MODE: 'on', DRAIN_DELAY_MS: '0', INSTANCE_ID: instanceId, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit').then(([code]) => code as number | null);
  const log: Replica['log'] = [];
  const { promise: serving, resolve } = Promise.withResolvers<number>();
  createInterface({ input: child.stdout }).on('line', (line) => {
    const entry = JSON.parse(line) as LogLine & { port: number };
    log.push(entry);
    if (entry.msg === 'serving') resolve(entry.port);
  });
  const port = await Promise.race([serving, exited]);
  if (child.exitCode !== null || port === null)
    throw new Error(`replica ${instanceId} ended before it served`);

  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    instanceId,
    pid: child.pid ?? 0, // it has been spawned
    log,
    exited,
    kill: (signal) => void child.kill(signal),
    async book(path, { body, raceWindowMs, failpoint, signal } = {}) {
      const response = await fetch(`${url}${path}`, {
        method: 'POST',
        headers: {
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(raceWindowMs === undefined ? {} : { 'x-race-window-ms': String(raceWindowMs) }),
          ...(failpoint === undefined ? {} : { 'x-failpoint': failpoint }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(signal === undefined ? {} : { signal }),
      });
      return {
        status: response.status,
        instanceId: response.headers.get('x-instance-id'),
        body: await response.json(),
      } as Answer;
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGCONT');
      child.kill('SIGKILL');
      await exited;
    },
  };
}
