import type { Ways } from '../native/replicas.ts';
import { startFaultProxy, type FaultProxy } from '../servers/fault-proxy.ts';
import { freePort } from '../servers/free-port.ts';
import { linkThrough, type Link, type LinkKind, type Links } from './links.ts';

/**
 * Between processes each connection from one part to another goes through a proxy of its own. They stand only in runs that
 * ask for them, in the process of the run: a cluster that serves people has none.
 */
export interface NativeLinks extends Links, Ways, AsyncDisposable {}

/**
 * A proxy accepts also for a replica that is gone, which would have refused: with links of nginx a killed replica costs
 * requests that nginx could otherwise have given to another one.
 */
export function createLinks(kinds: readonly LinkKind[]): NativeLinks {
  const proxies = new Map<string, FaultProxy & { link: Link }>();
  const listening = new Map<string, number>();
  // One after another: two that choose a port at the same time could choose the same.
  let last: Promise<unknown> = Promise.resolve();

  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = last.then(work);
    last = done.catch(() => {});
    return done;
  }

  /** A replica that is started again finds the same one. */
  async function proxyAt(name: string, targetPort: number, port?: number): Promise<FaultProxy> {
    const known = proxies.get(name);
    if (known !== undefined) {
      known.pointTo(targetPort);
      return known;
    }
    const proxy = await startFaultProxy(targetPort, port);
    proxies.set(name, { ...proxy, link: linkThrough(proxy, proxy) });
    return proxy;
  }

  return {
    to: (from, to, port) =>
      inTurn(async () => {
        const kind = to === 'postgres' ? 'postgres' : 'redis';
        return kinds.includes(kind) ? (await proxyAt(nameOf(from, to), port)).port : port;
      }),
    behind: (replica, place) =>
      inTurn(async () => {
        if (!kinds.includes('nginx')) return place;
        const port = listening.get(replica) ?? (await freePort());
        listening.set(replica, port);
        await proxyAt(nameOf('nginx', replica), port, place);
        return port;
      }),
    names: async () => [...proxies.keys()],
    between: async (from, to) => proxies.get(nameOf(from, to))?.link,
    async [Symbol.asyncDispose]() {
      await last;
      for (const proxy of proxies.values()) await proxy[Symbol.asyncDispose]();
    },
  };
}

function nameOf(from: string, to: string): string {
  return `${from}>${to}`;
}
