import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';

// A pipe that only we hold closes when we end, whatever ends us: an exit, a crash, kill -9. The shell at its other
// end waits for that and then cleans up. It runs in a session of its own, so that a Ctrl-C does not end it first.
const killAndRemove = 'cat > /dev/null; kill -KILL "$1"; sleep 0.2; rm -rf "$2"';
const removeContainer = 'cat > /dev/null; docker rm --force --volumes "$1" > /dev/null 2>&1';
const runCommand = 'cat > /dev/null; "$@" > /dev/null 2>&1';

/** Kills the process and removes its directory should we end before it does. */
export function dieWithParent(child: ChildProcess, dir: string): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const standDown = guard(killAndRemove, String(child.pid), dir);
  child.once('exit', standDown); // from here on the pid may come to mean another process
}

/** Removes the container should we end first. Returns how to call this off. */
export function removeContainerWithParent(id: string): () => void {
  return guard(removeContainer, id);
}

/** Runs a command should we end first, such as one that takes a whole stack down. Returns how to call this off. */
export function runAfterParent(command: string, ...args: string[]): () => void {
  return guard(runCommand, command, ...args);
}

function guard(script: string, ...args: string[]): () => void {
  const shell = spawn('/bin/sh', ['-c', script, 'lastseat-watchdog', ...args], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  shell.unref();
  shell.once('error', () => {}); // no shell, no watchdog: the server itself is not worse for it
  const { stdin } = shell;
  stdin.once('error', () => {});
  (stdin as unknown as { unref(): void }).unref();
  return () => {
    shell.kill('SIGKILL');
    stdin.destroy();
  };
}
