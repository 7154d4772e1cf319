import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import type { Registry } from 'prom-client';

/**
 * A listener of its own, so that no proxy in front of the routes can be talked into passing its pages on. It is for
 * Prometheus, and for nobody outside: METRICS_HOST is loopback unless the network that it names is closed.
 */
export interface MetricsServer extends AsyncDisposable {
  port: number;
}

/** A scrape is one short request. */
const REQUEST_TIMEOUT_MS = 5_000;

export async function serveMetrics(
  registry: Pick<Registry, 'contentType' | 'metrics'>,
  { host, port, onFailed }: { host: string; port: number; onFailed: (error: unknown) => void },
): Promise<MetricsServer> {
  const server = createServer(
    { headersTimeout: REQUEST_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS },
    (request, response) => {
      if (request.url !== '/metrics') {
        response.writeHead(404).end('The metrics are at /metrics.\n');
        return;
      }
      registry.metrics().then(
        (page) => response.writeHead(200, { 'content-type': registry.contentType }).end(page),
        (error: unknown) => {
          onFailed(error);
          response.writeHead(500).end();
        },
      );
    },
  );
  server.listen({ host, port });
  await once(server, 'listening');
  // It is no reason for a process to go on.
  server.unref();
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
    },
  };
}
