import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';

// Blocked in a read, it takes no connection from the kernel, whose queue of 2 is soon full. Then it takes them all,
// tells the first line that one of them brings, and hangs up.
const source = `
  const { readSync, writeSync } = require('node:fs');
  const server = require('node:net').createServer((socket) => {
    socket.on('error', () => {}).once('data', (data) => {
      writeSync(1, String(data).split('\\r\\n', 1)[0] + '\\n');
      socket.destroy();
    });
  });
  server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
    writeSync(1, server.address().port + '\\n');
    readSync(0, Buffer.alloc(1));
  });
`;

/** A replica that answers no handshake, neither yes nor no, until it is told to listen; and dies of the first request. */
export async function startDeafReplica() {
  const child = spawn(process.execPath, ['-e', source], { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const port = Number((await lines.next()).value);
  const fillers = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')];
  await Promise.all(fillers.map((filler) => once(filler, 'connect')));
  return {
    port,
    listen: () => void child.stdin.write('.'),
    /** The first line of every request that it got, one after another. */
    async nextRequest(): Promise<string> {
      return String((await lines.next()).value);
    },
    async [Symbol.asyncDispose]() {
      for (const filler of fillers) filler.destroy();
      child.kill('SIGKILL');
      await exited;
    },
  };
}
