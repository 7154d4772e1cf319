import { startRedis } from '@lastseat/infra/servers';

/** Three Redis servers that know nothing of each other. */
export async function startQuorum(): Promise<{ urls: string } & AsyncDisposable> {
  const servers = await Promise.all([startRedis(), startRedis(), startRedis()]);
  return {
    urls: servers.map(({ url }) => url).join(','),
    async [Symbol.asyncDispose]() {
      await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()));
    },
  };
}
