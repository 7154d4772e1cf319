/** Of what this process prints. */
let hasLeft = false;

export const hasReaderLeft = (): boolean => hasLeft;

/**
 * Whoever reads what a program prints may leave, as `head` does. That is no error: what is printed from then on is lost, and
 * a program that can be interrupted is, since nobody waits for it any more. One that cannot goes on to its end, because
 * half of what it does may be worse than all or nothing.
 */
export function endWithReader(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE' && error.code !== 'ERR_STREAM_DESTROYED') throw error;
      if (hasLeft) return;
      hasLeft = true;
      if (process.listenerCount('SIGTERM') > 0) process.kill(process.pid, 'SIGTERM');
    });
  }
}
