import type { ServerResponse } from 'node:http';

import { describe, expect, test } from 'vitest';

import { startDeafReplica } from '../support/deaf-replica.ts';
import { HOME_BOUND, nginxes, startNginx, type Nginx } from '../support/nginx.ts';
import { startReplica } from '../support/replica.ts';

/** Which replica nginx asks for a booking, with the project's own settings and replicas that take their time. */
describe.each(nginxes)('$name', (kind) => {
  test('an event has a home, and events have different ones', async () => {
    await using stack = await start(3);
    stack.answerAtOnce();

    const homes = new Map<number, Set<number>>();
    for (const event of Array.from({ length: 60 }, (_, i) => (i % 20) + 1)) {
      const { replica } = await book(stack, event);
      homes.set(event, (homes.get(event) ?? new Set()).add(replica));
    }
    expect([...homes.values()].map(({ size }) => size)).toEqual(Array.from({ length: 20 }, () => 1));
    expect(new Set([...homes.values()].flatMap((replicas) => Array.from(replicas))).size).toBe(3);
  });

  test('a crowd goes to its home up to the bound, and then to one replica after the other', async () => {
    await using stack = await start(3);

    const crowd = Array.from({ length: HOME_BOUND + 1 }, () => book(stack, 1));
    await stack.hold(HOME_BOUND + 1);
    expect(stack.sizes()).toEqual([0, 1, HOME_BOUND]);
    crowd.push(...Array.from({ length: HOME_BOUND }, () => book(stack, 1)));
    await stack.hold(2 * HOME_BOUND + 1);
    expect(stack.sizes()).toEqual([1, HOME_BOUND, HOME_BOUND]);
    stack.answerAtOnce();
    expect((await Promise.all(crowd)).every(({ status }) => status === 201)).toBe(true);
  });

  test('a crowd that is too large for all homes is spread over all replicas', async () => {
    await using stack = await start(2);
    const size = 4 * HOME_BOUND;
    const crowd = Array.from({ length: size }, () => book(stack, 1));
    await stack.hold(size);
    expect(stack.held()).toEqual([size / 2, size / 2]);
    stack.answerAtOnce();
    expect((await Promise.all(crowd)).every(({ status }) => status === 201)).toBe(true);
  });

  test('a home that is gone costs nobody a booking', async () => {
    await using stack = await start(3);
    stack.answerAtOnce();
    const { replica: home } = await book(stack, 1);
    await stack.stop(home);
    const answers = await Promise.all(Array.from({ length: HOME_BOUND }, () => book(stack, 1)));
    expect(answers.every(({ status, replica }) => status === 201 && replica !== home)).toBe(true);
  });

  // A full queue of new connections is silent on Linux; elsewhere it may refuse.
  test.runIf(process.platform === 'linux')('a home that is silent is left alone', async () => {
    await using deaf = await startDeafReplica();
    await using stack = await start(1, [deaf.port]);
    stack.answerAtOnce();
    const tookMs: number[] = [];
    for (const event of Array.from({ length: 20 }, (_, i) => i)) {
      const beganMs = performance.now();
      await book(stack, event);
      tookMs.push(performance.now() - beganMs);
    }
    // So long does nginx wait for a handshake: once, and not for each of the ten events whose home this is. A busy
    // machine may be as slow by itself now and then.
    const waited = tookMs.filter((ms) => ms > 290).length;
    expect(waited).toBeGreaterThan(0);
    expect(waited).toBeLessThan(5);
  });

  test("the lab's own routes have no home", async () => {
    await using stack = await start(3);
    const crowd = Array.from({ length: 3 }, () => book(stack, 1, '/book/batched-lock/1'));
    await stack.hold(3);
    expect(stack.held()).toEqual([1, 1, 1]);
    stack.answerAtOnce();
    await Promise.all(crowd);
  });

  /** nginx and replicas that keep what they are asked until they are told to answer. */
  async function start(replicas: number, otherPorts: readonly number[] = []) {
    await using opening = new AsyncDisposableStack();
    const kept = Array.from({ length: replicas }, (): ServerResponse[] => []);
    let isHolding = true;
    let onArrival: (() => void) | undefined;
    const servers = await Promise.all(
      kept.map((responses, replica) =>
        startReplica((_request, response) => {
          response.writeHead(201, { 'x-replica': replica });
          if (isHolding) responses.push(response);
          else response.end();
          onArrival?.();
        }),
      ),
    );
    for (const { stop } of servers) opening.defer(stop);
    const ports = servers.map(({ port }) => port);
    const nginx = opening.use(await startNginx(kind, [...otherPorts, ...ports]));
    const opened = opening.move();
    const held = () => kept.map(({ length }) => length);
    return {
      url: nginx.url,
      stop: async (replica: number) => servers[replica]?.stop(),
      held,
      sizes: () => held().sort((a, b) => a - b),
      /** Waits until so many are held. */
      hold: (count: number) =>
        new Promise<void>((resolve) => {
          onArrival = () => {
            if (held().reduce((sum, each) => sum + each) >= count) resolve();
          };
          onArrival();
        }),
      answerAtOnce() {
        isHolding = false;
        for (const response of kept.flat()) response.end();
      },
      [Symbol.asyncDispose]: () => opened.disposeAsync(),
    };
  }
});

async function book({ url }: Pick<Nginx, 'url'>, event: number, path = `/events/${event}/bookings`) {
  const response = await fetch(url + path, { method: 'POST', body: '{}' });
  await response.text();
  return { status: response.status, replica: Number(response.headers.get('x-replica')) };
}
