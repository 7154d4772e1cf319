import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import { expect, onTestFinished, test } from 'vitest';

import { probeReady } from '../../native/replicas.ts';
import { waitUntilAnswering } from '../../servers/server.ts';

test('a replica that is newer than the database is not waited for: one line says what to do', async () => {
  const server = createServer((_request, response) => {
    response.writeHead(503).end(JSON.stringify({ detail: 'the schema lacks 0008-limits, 0009-more.' }));
  }).listen(0, '127.0.0.1');
  onTestFinished(() => {
    server.close();
  });
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const running = { hasDied: () => false, logTail: () => '' };
  await expect(waitUntilAnswering({ name: 'booking-2', probe: probeReady }, url, running)).rejects.toThrow(
    'what runs was started before newer code was here (the schema lacks 0008-limits, 0009-more): make up migrates it',
  );
});
