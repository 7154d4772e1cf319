import { startRedis, type Server } from '@lastseat/infra/servers';

/** Three Redis servers that know nothing of each other. */
export async function startQuorum(): Promise<{ urls: string; servers: Server[] } & AsyncDisposable> {
  const servers = await Promise.all([startRedis(), startRedis(), startRedis()]);
  return {
    servers,
    urls: servers.map(({ url }) => url).join(','),
    async [Symbol.asyncDispose]() {
      await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()));
    },
  };
}
