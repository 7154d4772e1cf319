import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import type { ClusterPart } from '@lastseat/infra/cluster';
import { expect, it, onTestFinished } from 'vitest';

import { recordRace } from '#src/race/record-race.ts';
import type { Target } from '#src/target.ts';
import type { Oracle } from '#src/truth.ts';

const LOST = 'f'.repeat(32);

/** As in Docker: in their answers replicas name themselves after their container. */
const replicas: ClusterPart[] = [
  { name: 'booking-1', kind: 'replica', state: 'stopped', instance: 'c0ffee' },
  { name: 'booking-2', kind: 'replica', state: 'running', instance: 'f00d' },
];

it('a replica that is killed has a lane under the name of its part, as far as its log has told', async () => {
  const { target, log } = await service();
  const cluster = {
    parts: async () => replicas,
    follow(name: string, onLine: (line: string) => void) {
      if (name === 'booking-1') log.onLine = onLine;
      return { ready: Promise.resolve(), [Symbol.dispose]() {} };
    },
  };
  const oracle = { read: async () => ({ rows: [{}], available: 0 }) } as unknown as Oracle;
  const wishes = { strategy: 'fenced-lock', tickets: 1, buyers: 2, raceWindowMs: 0 };
  const { buyers, pauses } = await recordRace({ target, oracle, cluster }, wishes);
  const of = (instance: string) => buyers.find((buyer) => buyer.instance === instance);

  expect(of('booking-2')).toMatchObject({ outcome: 'booked' });
  expect(of('booking-2')!.marks.map(({ name }) => name)).toEqual(['arrived', 'answered']);
  expect(of('booking-1')).toMatchObject({ outcome: 'unknown', lostMs: expect.any(Number) });
  expect(of('booking-1')!.marks.map(({ name }) => name)).toEqual(['arrived', 'holds']);
  expect(pauses).toMatchObject([{ instance: 'booking-1', toMs: null, isKilled: true }]);
});

/** Behind nginx: one replica writes into its log and is gone, the other one answers. */
async function service(): Promise<{ target: Target; log: { onLine(line: string): void } }> {
  const log = { onLine(_line: string) {} };
  let bookings = 0;
  const server = createServer((request, response) => {
    request.resume();
    const reply = (status: number, body: object, headers: Record<string, string> = {}) =>
      response
        .writeHead(status, { 'content-type': 'application/json', ...headers })
        .end(JSON.stringify(body));
    if (request.url === '/events') return reply(201, { id: 7 });
    bookings += 1;
    if (bookings > 1) {
      const marks = { 'server-timing': 'arrived;dur=1000, answered;dur=1030' };
      return reply(
        201,
        { bookingId: 'one' },
        { ...marks, 'x-instance-id': 'f00d-1', 'x-request-id': 'a'.repeat(32) },
      );
    }
    for (const [mark, atMs] of Object.entries({ arrived: 1_001, holds: 1_002 })) {
      log.onLine(JSON.stringify({ msg: 'mark', requestId: LOST, mark, atMs }));
    }
    return reply(504, { code: 'unknown' }, { 'x-instance-id': 'nginx', 'x-request-id': LOST });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { target: { url } as Target, log };
}
