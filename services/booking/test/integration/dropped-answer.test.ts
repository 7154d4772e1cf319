import { startFaultProxy } from '@lastseat/infra/servers';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';

import type { BookingView } from '#src/contract.ts';

import { nginxes, startNginx } from '../../../../infra/test/support/nginx.ts';
import { openHouse, type House } from '../support/house.ts';
import { startReplica, type Replica } from '../support/replica.ts';

/** A booking is committed and its answer lost on the way from the replica to nginx. */

const opened = new AsyncDisposableStack();
let house: House;
let replicas: [Replica, Replica];

beforeAll(async () => {
  house = opened.use(await openHouse(inject('postgresUrl')));
  const env = { DATABASE_URL: house.databaseUrl, REDIS_URL: inject('redisUrl') };
  replicas = await Promise.all([startReplica('first', env), startReplica('second', env)]);
  for (const replica of replicas) opened.use(replica);
});

afterAll(() => opened.disposeAsync());

describe.each(nginxes)('$name', (kind) => {
  test.each(['bookings', 'bookings?strategy=row-lock'])(
    'POST %s with a key is answered by the other replica with what the first one has made; without one it is unknown',
    async (route) => {
      await using here = await startFaultProxy(Number(new URL(replicas[0].url).port));
      await using there = await startFaultProxy(Number(new URL(replicas[1].url).port));
      await using nginx = await startNginx(kind, [here.port, there.port]);
      const id = await house.newEvent(9);

      async function post(headers: Record<string, string>) {
        let isLost = false;
        for (const proxy of [here, there]) {
          proxy.dropReplies(1, { matching: (sent) => sent.includes('POST') && !isLost && (isLost = true) });
        }
        const response = await fetch(`${nginx.url}/events/${id}/${route}`, { method: 'POST', headers });
        await Promise.all([here.heal(), there.heal()]);
        expect(isLost, 'the fault has happened').toBe(true);
        return { status: response.status, headers: response.headers, body: await response.json() };
      }

      const answered = await post({ 'idempotency-key': 'order 1' });
      const [row] = await house.rowsOf(id);
      expect(answered).toMatchObject({ status: 201, body: { bookingId: row?.id } });
      expect(answered.headers.get('idempotency-replayed')).toBe('true');
      expect((answered.body as BookingView).instanceId).not.toBe(answered.headers.get('x-instance-id'));
      expect(await house.rowsOf(id)).toHaveLength(1);

      expect(await post({})).toMatchObject({ status: 504, body: { code: 'unknown' } });
      expect(await house.rowsOf(id)).toHaveLength(2);
    },
  );
});
