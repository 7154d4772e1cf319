/** Real servers for tests, benches and fault runs. */
export { findBinary } from './binaries.ts';
export type { Binary, Program } from './binaries.ts';
export { chooseServerRuntime } from './choose-runtime.ts';
export { createDatabase } from './databases.ts';
export type { Database } from './databases.ts';
export { startFaultProxy } from './fault-proxy.ts';
export type { FaultProxy } from './fault-proxy.ts';
export { freePort } from './free-port.ts';
export { ensureInstalled } from './install.ts';
export { startPostgres } from './postgres.ts';
export { startRedis } from './redis.ts';
export type { StartOptions } from './redis.ts';
export type { RuntimeName, Server } from './server.ts';
export { dieWithParent, runAfterParent } from './watchdog.ts';
