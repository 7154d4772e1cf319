import type { Members } from './primary.ts';

const ASK_MS = 5_000;

/**
 * Members that are asked in their own containers, because none of them is published.
 * @param execute runs a command in the container of a part, and throws where that does not run or the command fails
 */
export function membersInContainers(
  execute: (part: string, command: readonly string[], limitMs: number) => Promise<string>,
): Members {
  return {
    redis(name, command) {
      const port = name.startsWith('sentinel-') ? '26379' : '6379';
      return execute(name, ['redis-cli', '-h', '127.0.0.1', '-p', port, ...command.split(' ')], ASK_MS);
    },
    lineOf: (name) => name,
    async patroni(name, path, change) {
      const body = change?.body ?? '';
      const request = `${change ? 'POST' : 'GET'} ${path} HTTP/1.0\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
      const answer = await execute(name, ['bash', '-c', ASK, 'ask', request], change?.limitMs ?? ASK_MS);
      const [head = '', ...said] = answer.split('\r\n\r\n');
      return { ok: head.split(' ', 2)[1] === '200', said: said.join('\r\n\r\n') };
    },
  };
}

/** The image has no client for HTTP, and Patroni closes the connection when it has answered. */
const ASK = 'exec 3<>/dev/tcp/127.0.0.1/8008 && printf %s "$1" >&3 && cat <&3';
