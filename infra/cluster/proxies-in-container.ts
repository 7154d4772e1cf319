import { reverse } from 'node:dns/promises';
import { createServer as createHttpServer, type IncomingMessage } from 'node:http';
import { createServer, type Socket } from 'node:net';
import { json } from 'node:stream/consumers';

import { createFaultyWire, reset, type FaultyWire } from '../servers/faulty-wire.ts';
import { LINK_ACTIONS, linkThrough, type Link } from './links.ts';

/**
 * `node proxies-in-container.ts PORT SERVER...`: a container between the replicas and their servers, in runs that ask for
 * it. Replicas have one configuration, so all of them come to the same ports; the engine's name server tells which one a
 * connection is from. At PORT it is told what to do: `POST /booking-1/redis/refuse`. A SERVER is as `6379=redis:6379`.
 */
interface Wire {
  carry: FaultyWire['carry'];
  link: Link;
}

const wires = new Map<string, Wire>();

function wireBetween(from: string, host: string, port: number): Wire {
  const name = `${from}/${host}`;
  const wire = wires.get(name) ?? createWire(host, port);
  wires.set(name, wire);
  return wire;
}

function createWire(host: string, port: number): Wire {
  const wire = createFaultyWire(() => ({ host, port }));
  let isRefused = false;
  const link = linkThrough(wire, {
    async refuse() {
      isRefused = true;
      wire.cut();
    },
    async heal() {
      isRefused = false;
      wire.heal();
    },
  });
  return { link, carry: (client) => (isRefused ? reset(client) : wire.carry(client)) };
}

/** The container is `PROJECT-booking-1`, and its name ends with that of the network. */
async function replicaAt(address = ''): Promise<string | undefined> {
  const names = await reverse(address).catch(() => []);
  return names.flatMap((name) => /-(booking-\d+)\./.exec(name)?.[1] ?? []).at(0);
}

const [controlPort, ...servers] = process.argv.slice(2);
const targets = servers.map((server) => {
  const [, listenAt, host = '', port] = /^(\d+)=([\w-]+):(\d+)$/.exec(server) ?? [];
  return { listenAt: Number(listenAt), host, port: Number(port) };
});

for (const { listenAt, host, port } of targets) {
  createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    client.on('error', () => {}); // it may go before it is known who it is
    void carry(client, host, port);
  }).listen(listenAt, '0.0.0.0'); // an address of version 4 in one of version 6 has no name
}

async function carry(client: Socket, host: string, port: number): Promise<void> {
  const replica = await replicaAt(client.remoteAddress);
  if (client.destroyed) return;
  if (replica !== undefined) return wireBetween(replica, host, port).carry(client);
  // Carried on, it would be missed by every fault.
  process.stderr.write(`a connection to ${host} from ${client.remoteAddress}, which is no replica\n`);
  reset(client);
}

createHttpServer((request, response) => {
  void act(request).then(
    (result) => response.end(JSON.stringify(result ?? null)),
    (error: Error) => response.writeHead(400).end(error.message),
  );
}).listen(Number(controlPort), '0.0.0.0');

async function act(request: IncomingMessage): Promise<unknown> {
  if (request.method === 'GET') return servers; // whether it runs
  const [, replica = '', host = '', name] = request.url?.split('/') ?? [];
  const action = LINK_ACTIONS.find((action) => action === name);
  const target = targets.find((target) => target.host === host);
  if (action === undefined || target === undefined) throw new Error(`there is no ${request.url}`);
  const { link } = wireBetween(replica, host, target.port);
  return link[action]((await json(request)) as never);
}
