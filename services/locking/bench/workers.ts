import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import type { Reply, Request, TaskName, Tasks } from './worker.ts';

/** One worker process. */
export interface Worker extends AsyncDisposable {
  /** Has one task done, and resolves to what came of it. Rejects when the task fails or the process ends. */
  ask<Name extends TaskName>(
    task: Name,
    argument: Parameters<Tasks[Name]>[0],
  ): Promise<Awaited<ReturnType<Tasks[Name]>>>;
}

const program = fileURLToPath(new URL('worker.ts', import.meta.url));

export function startWorker(): Worker {
  const child = fork(program, {
    execArgv: ['--expose-gc'],
    // Columns of numbers travel as they are.
    serialization: 'advanced',
    // What it may print belongs to the bench's own words, not to its tables.
    stdio: ['ignore', 2, 2, 'ipc'],
  });

  return {
    async ask(task, argument) {
      const done = new AbortController();
      try {
        const [message] = (await Promise.race([
          once(child, 'message', { signal: done.signal }),
          once(child, 'exit', { signal: done.signal }).then(([code, signal]) => {
            throw new Error(`a worker ended in the middle of its work (${signal ?? `code ${code}`})`);
          }),
          new Promise<never>((_resolve, reject) => {
            child.send({ task, argument } satisfies Request, (error) => error && reject(error));
          }),
        ])) as [Reply];
        if ('error' in message) throw new Error(`a worker failed: ${message.error}`);
        return message.result as never;
      } finally {
        done.abort();
      }
    },
    [Symbol.asyncDispose]: () => end(child),
  };
}

/** At once: what a waiting process has under way may never end by itself. */
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}
