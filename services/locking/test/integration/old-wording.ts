import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A Redis of today, by the errors that one before version 7 gives where a command in a script is refused. */
export interface OldWording extends AsyncDisposable {
  readonly port: number;
}

/** "-OOM ...", and where a script had begun, " script: f_<hash>, on @user_script:<line>." */
const ofToday = /^-((?:OOM|READONLY) [^\r]*?)(?: script: f_\w+, on @user_script:\d+\.)?\r\n/gm;
const asBefore =
  '-ERR Error running script (call to f_6b1bf486c81ceb7edf3c093f4c48582e38c0e791): @user_script:12: @user_script: 12: -$1\r\n';

export async function startOldWording(targetPort: number): Promise<OldWording> {
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (client) => {
    const target = connect({ port: targetPort, host: '127.0.0.1', noDelay: true });
    for (const socket of [client, target]) {
      sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    }
    client.pipe(target);
    target.on('data', (reply) =>
      client.write(reply.toString('latin1').replaceAll(ofToday, asBefore), 'latin1'),
    );
    target.on('close', () => client.destroy());
    client.on('close', () => target.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
