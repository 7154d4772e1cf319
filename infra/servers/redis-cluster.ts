import { freePort } from './free-port.ts';
import { askRedis, startRedis } from './redis.ts';
import { startAll, waitUntil, type Server } from './server.ts';

export interface RedisCluster extends AsyncDisposable {
  /** All of them primaries, each with its part of the slots, in order. */
  readonly nodes: readonly Server[];
}

const slots = 16_384;

/**
 * A cluster of primaries. They must reach each other, which from one container to another takes a network of their own:
 * all are plain processes.
 */
export async function startRedisCluster(primaries: number): Promise<RedisCluster> {
  await using stack = new AsyncDisposableStack();
  const busPorts: string[] = [];
  const nodes = await startAll(stack, primaries, async (index) => {
    // By default the port and 10,000: more than there are, for some.
    const busPort = String(await freePort());
    busPorts[index] = busPort;
    const settings = { 'cluster-enabled': 'yes', 'cluster-port': busPort };
    return startRedis({ runtime: 'native', settings });
  });
  const firstSlot = (index: number) => Math.floor((index * slots) / primaries);
  for (const [index, { url }] of nodes.entries()) {
    await order(url, `CLUSTER ADDSLOTSRANGE ${firstSlot(index)} ${firstSlot(index + 1) - 1}`);
    for (const [other, { port }] of nodes.slice(0, index).entries()) {
      await order(url, `CLUSTER MEET 127.0.0.1 ${port} ${busPorts[other]}`);
    }
  }
  await waitUntil('each node of the cluster knows all others', async () => {
    const told = await Promise.all(nodes.map(({ url }) => askRedis(url, 'CLUSTER INFO')));
    return told.every(
      (info) => info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${primaries}\r\n`),
    );
  });
  const ownStack = stack.move();
  return { nodes, [Symbol.asyncDispose]: () => ownStack.disposeAsync() };
}

async function order(url: string, line: string): Promise<void> {
  const reply = await askRedis(url, line);
  if (!reply.startsWith('+OK')) throw new Error(`${line}: ${reply.trim()}`);
}
