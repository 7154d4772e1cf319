import { capture } from '../run-command.ts';

// An engine that answers does so in tenths of a second. The command line tool alone, with a socket that nobody
// serves any more, would wait for ever, while the native way is ready to start.
const timeoutMs = 5_000;

/** Why Docker cannot be used here, or null if it can. */
export async function obstacleToDocker(): Promise<string | null> {
  const [engine, compose] = await Promise.all([
    capture('docker', ['version', '--format', '{{.Server.Version}}'], timeoutMs),
    capture('docker', ['compose', 'version', '--short'], timeoutMs),
  ]);
  if (engine.isMissing) return 'docker is not installed';
  if (engine.code !== 0) return `no Docker engine answers (${lastLine(engine.stderr) || 'it is silent'})`;
  if (compose.code !== 0 || !/^v?[2-9]|^v?\d\d/.test(compose.stdout)) {
    return 'Docker lacks Compose v2 (docker compose version)';
  }
  return null;
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}
