import { startPostgres, startRedis } from '../../servers/index.ts';

// Starts two servers, says where they are, and then waits to be killed.
const servers = await Promise.all([startRedis(), startPostgres()]);
process.stdout.write(JSON.stringify(servers.map(({ port }) => port)));
setInterval(() => {}, 60_000);
