import { connect, createServer } from 'node:net';

import { UserError } from './user-error.ts';

export function portOf(url: string): number {
  const { port } = new URL(url);
  return port === '' ? 80 : Number(port); // which URL leaves out
}

/** Throws a `UserError` if somebody listens on the port already. */
export async function assertPortIsFree(port: number): Promise<void> {
  // Where one may bind beside a program that listens on all addresses (macOS), only a connection tells.
  if (!(await isBound(port)) && !(await somebodyAnswers(port))) return;
  const another = port < 65_535 ? port + 1 : 8080;
  throw new UserError(`port ${port} is taken by another program; choose another: make up PORT=${another}`);
}

/** False also where we may not try: a port below 1024 is the engine's business, which has the rights for it. */
function isBound(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code === 'EADDRINUSE'));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(false)));
  });
}

function somebodyAnswers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const answer = (isAnswered: boolean) => {
      socket.destroy();
      resolve(isAnswered);
    };
    socket.once('connect', () => answer(true)).once('error', () => answer(false));
  });
}
