import type { Members } from '../../redundant/primary.ts';
import { capture } from '../run-command.ts';
import { listContainers } from './containers.ts';

const ASK_MS = 5_000;

/** The members of a project of Compose, each asked in its own container: none of them is published. */
export function membersOfProject(project: string): Members {
  async function execute(part: string, command: readonly string[], limitMs = ASK_MS): Promise<string> {
    const container = (await listContainers(project)).find(({ service }) => service === part);
    if (!container?.isRunning) throw new Error(`${part} does not run`);
    const { code, stdout, stderr } = await capture('docker', ['exec', container.name, ...command], limitMs);
    if (code !== 0) throw new Error(`${part}: ${stderr.trim() || 'no answer'}`);
    return stdout;
  }

  return {
    redis(name, command) {
      const port = name.startsWith('sentinel-') ? '26379' : '6379';
      return execute(name, ['redis-cli', '-h', '127.0.0.1', '-p', port, ...command.split(' ')]);
    },
    lineOf: (name) => name,
    async patroni(name, path, change) {
      const body = change?.body ?? '';
      const request = `${change ? 'POST' : 'GET'} ${path} HTTP/1.0\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
      const answer = await execute(name, ['bash', '-c', ASK, 'ask', request], change?.limitMs);
      const [head = '', ...said] = answer.split('\r\n\r\n');
      return { ok: head.split(' ', 2)[1] === '200', said: said.join('\r\n\r\n') };
    },
  };
}

/** The image has no client for HTTP, and Patroni closes the connection when it has answered. */
const ASK = 'exec 3<>/dev/tcp/127.0.0.1/8008 && printf %s "$1" >&3 && cat <&3';
