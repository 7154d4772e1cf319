import { createServer } from 'node:net';

// Below the kernel's ephemeral range (32768 and up on Linux, 49152 on macOS), on purpose. A client that keeps
// reconnecting to a dead server's port can be given that very port as its own source port, and then it connects
// to itself: it believes that the server is back, and the server can no longer bind.
const firstPort = 20_000;
const lastPort = 24_999; // from there on, stacks keep places for their replicas

// Even a machine with half of the range taken fails 50 draws in a row once in 10^15 times.
const maxDraws = 50;

/** A TCP port on loopback that is free now, and that no outgoing connection takes later. */
export async function freePort(): Promise<number> {
  for (let draw = 0; draw < maxDraws; draw += 1) {
    const port = firstPort + Math.floor(Math.random() * (lastPort - firstPort + 1));
    if (await portIsFree(port)) return port;
  }
  throw new Error(`No free port found between ${firstPort} and ${lastPort}`);
}

/** Whether a server could listen on the port now, on loopback (the default) or on another address. */
export function portIsFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
