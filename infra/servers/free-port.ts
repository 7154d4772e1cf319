import { createServer } from 'node:net';

// Below the kernel's ephemeral range (32768 and up on Linux, 49152 on macOS), on purpose. A client that keeps
// reconnecting to a dead server's port can be given that very port as its own source port, and then it connects
// to itself: it believes that the server is back, and the server can no longer bind.
const firstPort = 20_000;
const lastPort = 24_999; // from there on, stacks keep places for their replicas

const ports = lastPort - firstPort + 1;

// Even a machine with half of the range taken fails 50 draws in a row once in 10^15 times.
const maxDraws = 50;

// Each process goes through all of the range from a place of its own, in steps that have no factor in common with it. Of
// ports drawn one by one two would be the same now and then, both free; the server that came second would end, and
// whoever asks whether it answers would hear the first.
const step = 1_009;
let next = Math.floor(Math.random() * ports);

/**
 * A TCP port on loopback that is free now, and that no outgoing connection takes later. This process is not given the
 * same one again before it was given all others.
 */
export async function freePort(): Promise<number> {
  for (let draw = 0; draw < maxDraws; draw += 1) {
    next = (next + step) % ports;
    const port = firstPort + next;
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
