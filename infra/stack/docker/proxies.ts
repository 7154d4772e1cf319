/** The service that stands between the replicas and their servers where a run asks for it. */
export const PROXIES = 'proxies';

/** Where it is told what to do. */
export const CONTROL_PORT = 9_000;

/** Of each server: its own port, and the one that leads to it. */
export const SERVERS: Readonly<Record<string, { port: number; listenAt: number }>> = {
  postgres: { port: 5_432, listenAt: 5_432 },
  redis: { port: 6_379, listenAt: 6_379 },
  'quorum-1': { port: 6_379, listenAt: 6_381 },
  'quorum-2': { port: 6_379, listenAt: 6_382 },
  'quorum-3': { port: 6_379, listenAt: 6_383 },
};

export function redisBehindProxy(server: string): string {
  return `redis://${PROXIES}:${SERVERS[server]?.listenAt}`;
}
