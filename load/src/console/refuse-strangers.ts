import type { IncomingMessage } from 'node:http';

/**
 * The page can do anything to the cluster, and every other page that is open in the same browser can send requests to
 * this address: directly, or under a name of its own that it lets point here (DNS rebinding). So a request must name
 * this address as its host, come from this page if it says where from, and an action must be a POST of JSON, which no
 * form of another page can send.
 *
 * @returns why it is refused, or null
 */
export function reasonToRefuse({ method, headers }: IncomingMessage, port: number): string | null {
  const hosts = ['127.0.0.1', 'localhost'].map((name) => `${name}:${port}`);
  const { host = '', origin } = headers;
  if (!hosts.includes(host)) return 'this host is not served here';
  if (origin !== undefined && origin !== `http://${host}`) return 'another page has sent this';
  if (method === 'GET' || method === 'HEAD') return null;
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin') return 'another page has sent this';
  const [type] = (headers['content-type'] ?? '').split(';');
  return type?.trim() === 'application/json' ? null : 'an action is JSON';
}
