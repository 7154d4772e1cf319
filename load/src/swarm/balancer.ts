import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { Agent, createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import { INSTANCE_HEADER, PROXY_INSTANCE_ID, REQUEST_ID_HEADER } from '@lastseat/booking/contract';

/**
 * What stands in front of the nodes, as infra/swarm/README.md asks for it: it goes to a node whose nginx answers, and to
 * another one only while nothing of a request was sent. A request that was sent and not answered is unknown to it too, and it
 * says so (502). It answers on loopback, so that whoever sends the load need not know that there are several nodes.
 */
export interface Balancer extends AsyncDisposable {
  url: string;
  /** The names of the nodes that it sends requests to now. */
  up(): string[];
}

export interface Backend {
  name: string;
  /** http://10.0.0.11:8080 */
  url: string;
}

interface Node extends Backend {
  agent: Agent;
  isUp: boolean;
  /** Checks in a row that said otherwise. */
  contrary: number;
}

export interface Health {
  path: string;
  everyMs: number;
  timeoutMs: number;
  /** So many checks in a row change its mind. */
  fall: number;
  rise: number;
}

// `check inter 1s fall 2 rise 2`. A busy node may take longer for an answer than the second between two checks.
const HEALTH: Health = { path: '/nginx-health', everyMs: 1_000, timeoutMs: 2_000, fall: 2, rise: 2 };
const CONNECT_TIMEOUT_MS = 1_000;

export async function startBalancer(
  backends: readonly Backend[],
  health: Health = HEALTH,
): Promise<Balancer> {
  const nodes = backends.map((backend): Node => ({ ...backend, agent: newAgent(), isUp: true, contrary: 0 }));
  const stopping = new AbortController();
  let turn = 0;

  const server = createServer((incoming, outgoing) => {
    void answer(incoming, outgoing);
  });

  async function answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const body = await bodyOf(incoming);
    turn += 1;
    const up = nodes.filter(({ isUp }) => isUp);
    for (let tries = 0; tries < up.length; tries += 1) {
      const node = up[(turn + tries) % up.length] as Node;
      if ((await send(node, incoming, body, outgoing)) === 'done') return;
    }
    refuse(outgoing);
  }

  async function check(node: Node): Promise<void> {
    while (!stopping.signal.aborted) {
      const limit = AbortSignal.any([stopping.signal, AbortSignal.timeout(health.timeoutMs)]);
      const isWell = await fetch(`${node.url}${health.path}`, {
        signal: limit,
        headers: { connection: 'close' },
      }).then(
        async (response) => {
          await response.arrayBuffer();
          return response.ok;
        },
        () => false,
      );
      node.contrary = isWell === node.isUp ? 0 : node.contrary + 1;
      if (node.contrary >= (node.isUp ? health.fall : health.rise)) {
        node.isUp = isWell;
        node.contrary = 0;
        // Whoever waits for an answer of it waits in vain.
        if (!isWell) replaceAgent(node);
      }
      await sleep(health.everyMs, undefined, { signal: stopping.signal }).catch(() => {});
    }
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  const checks = nodes.map(check);
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    up: () => nodes.filter(({ isUp }) => isUp).map(({ name }) => name),
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await Promise.all(checks);
      for (const { agent } of nodes) agent.destroy();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

// Whoever keeps a connection is to be the one that closes it.
const KEEP_ALIVE_MS = 600_000;
/** Of the headers those that are of one connection. */
const OF_CONNECTION = new Set(['connection', 'keep-alive', 'transfer-encoding', 'host', 'content-length']);

/** @returns whether it was answered, with what the node said or with 502; `not sent` if the node was not reached */
function send(
  node: Node,
  incoming: IncomingMessage,
  body: Buffer,
  outgoing: ServerResponse,
): Promise<'done' | 'not sent'> {
  return new Promise((resolve) => {
    const headers = Object.entries(incoming.headers).filter(([name]) => !OF_CONNECTION.has(name));
    let isConnected = false;
    const forwarded = request(`${node.url}${incoming.url}`, {
      method: incoming.method ?? 'GET',
      agent: node.agent,
      headers: { ...Object.fromEntries(headers), 'content-length': body.length },
    });
    const lost = () => {
      if (!isConnected) return resolve('not sent');
      if (outgoing.headersSent) outgoing.destroy();
      else outgoing.writeHead(502).end();
      resolve('done');
    };
    forwarded.once('socket', (socket) => {
      isConnected = !socket.connecting;
      if (isConnected) return;
      const timer = setTimeout(
        () => forwarded.destroy(new Error('not connected in time')),
        CONNECT_TIMEOUT_MS,
      );
      socket.once('connect', () => (isConnected = true));
      for (const event of ['connect', 'close'] as const) socket.once(event, () => clearTimeout(timer));
    });
    forwarded.once('error', lost);
    forwarded.once('response', (response) => {
      bodyOf(response).then((answer) => {
        const { statusCode = 502 } = response;
        const theirs = Object.entries(response.headers).filter(([name]) => !OF_CONNECTION.has(name));
        outgoing.writeHead(statusCode, Object.fromEntries(theirs)).end(answer);
        resolve('done');
      }, lost);
    });
    forwarded.end(body);
  });
}

/** No node could be reached, so that nothing was done. */
function refuse(outgoing: ServerResponse): void {
  const headers = {
    'content-type': 'application/problem+json',
    'retry-after': '1',
    [INSTANCE_HEADER]: PROXY_INSTANCE_ID,
    [REQUEST_ID_HEADER]: randomUUID(),
  };
  outgoing
    .writeHead(503, headers)
    .end(JSON.stringify({ code: 'unavailable', instanceId: PROXY_INSTANCE_ID }));
}

function newAgent(): Agent {
  return new Agent({ keepAlive: true });
}

function replaceAgent(node: Node): void {
  node.agent.destroy();
  node.agent = newAgent();
}

async function bodyOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
