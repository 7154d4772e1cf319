import { fork } from 'node:child_process';
import { once } from 'node:events';

import type { Message } from './process.ts';
import type { Edge, FixedLoad, LoadResult } from './send-load.ts';

export interface Generator extends AsyncDisposable {
  /**
   * Sends one load; one at a time.
   * @param onEdge called as the window opens and closes, with the CPU seconds that the generator has used so far
   */
  send(load: FixedLoad, onEdge?: (edge: Edge, cpuS: number) => void): Promise<LoadResult>;
}

// After the window every connection waits for its last answer, at most as long as its time-out; then it is broken.
const PATIENCE_MS = 30_000;

export async function startGenerator(signal: AbortSignal): Promise<Generator> {
  signal.throwIfAborted();
  const child = fork(new URL('process.ts', import.meta.url), {
    // Not the terminal's Ctrl-C: whoever started it decides when it ends.
    detached: true,
    execArgv: [],
  });
  await once(child, 'spawn');

  async function send(load: FixedLoad, onEdge?: (edge: Edge, cpuS: number) => void): Promise<LoadResult> {
    const { promise, resolve, reject } = Promise.withResolvers<LoadResult>();
    const expectedMs = 'windowMs' in load.timing ? load.timing.warmUpMs + load.timing.windowMs : 0;
    const timer = setTimeout(
      () => reject(new Error('the load generator has not come to an end')),
      expectedMs + PATIENCE_MS,
    );
    const onMessage = (message: Message): void => {
      if (message.kind === 'done') resolve(message.result);
      else if (message.kind === 'failed')
        reject(new Error(`the load generator has failed: ${message.reason}`));
      else onEdge?.(message.kind, message.cpuS);
    };
    const onExit = (): void => reject(new Error('the load generator has ended by itself'));
    const onAbort = (): void => reject(signal.reason as Error);
    child.on('message', onMessage).once('exit', onExit);
    signal.addEventListener('abort', onAbort);
    try {
      signal.throwIfAborted();
      child.send(load);
      return await promise;
    } finally {
      clearTimeout(timer);
      child.off('message', onMessage).off('exit', onExit);
      signal.removeEventListener('abort', onAbort);
    }
  }

  return {
    send,
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    },
  };
}
