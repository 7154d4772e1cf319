import { askRedis, plainRedis, startNativeRedis, startRedis } from './redis.ts';
import { startAll, waitUntil, type Server } from './server.ts';

/** A primary, its replicas, and the sentinels that make a replica the primary when it does not answer any more. */
export interface SentinelGroup extends AsyncDisposable {
  /** What the sentinels call it. */
  readonly name: string;
  readonly sentinels: readonly Server[];
  /** All that keep data, the first primary at first. */
  readonly nodes: readonly Server[];
  /** Who is the primary now, as the sentinels say. */
  primary(): Promise<Server>;
}

export interface SentinelOptions {
  /** How long the primary may be silent before a sentinel calls it down, in milliseconds. */
  readonly downAfterMs: number;
}

const name = 'tickets';
const replicas = 2;
const sentinels = 3;
const quorum = 2;

/**
 * One primary, two replicas, three sentinels. They must reach each other, which from one container to another takes a
 * network of their own: all are plain processes.
 */
export async function startSentinelGroup({ downAfterMs }: SentinelOptions): Promise<SentinelGroup> {
  await using stack = new AsyncDisposableStack();
  // A primary sends its data to a new replica at once, instead of waiting for further ones.
  const settings = { 'repl-diskless-sync-delay': '0' };
  const first = stack.use(await startRedis({ runtime: 'native', settings }));
  const replicaof = `127.0.0.1 ${first.port}`;
  const others = await startAll(stack, replicas, () =>
    startRedis({ runtime: 'native', settings: { ...settings, replicaof } }),
  );
  const conf = [
    `sentinel monitor ${name} 127.0.0.1 ${first.port} ${quorum}`,
    `sentinel down-after-milliseconds ${name} ${downAfterMs}`,
    // An attempt that two sentinels make at once fails, and the next one comes after twice that time.
    `sentinel failover-timeout ${name} 5000`,
    `sentinel parallel-syncs ${name} ${replicas}`,
  ].join('\n');
  const watchers = await startAll(stack, sentinels, () =>
    startNativeRedis(plainRedis, { 'sentinel.conf': `${conf}\n` }, (dir, port) =>
      `sentinel.conf --sentinel --port ${port} --bind 127.0.0.1 --dir ${dir}`.split(' '),
    ),
  );
  const known = `,slaves=${replicas},sentinels=${sentinels}`;
  await waitUntil('the sentinels know each other and the replicas', async () => {
    const told = await Promise.all(watchers.map(({ url }) => askRedis(url, 'INFO sentinel')));
    return told.every((info) => info.includes(known));
  });
  await waitUntil('the replicas have all data', async () => {
    const told = await Promise.all(others.map(({ url }) => askRedis(url, 'INFO replication')));
    return told.every((info) => info.includes('master_link_status:up'));
  });

  const nodes = [first, ...others];
  const ownStack = stack.move();
  return {
    name,
    sentinels: watchers,
    nodes,
    async primary() {
      const question = `SENTINEL get-master-addr-by-name ${name}`;
      const [reply = ''] = await Promise.all(watchers.map(({ url }) => askRedis(url, question)));
      const node = nodes.find(({ port }) => reply.includes(`\r\n${port}\r\n`));
      if (node === undefined) throw new Error(`the sentinels name another primary: ${reply}`);
      return node;
    },
    [Symbol.asyncDispose]: () => ownStack.disposeAsync(),
  };
}
