import type { Ways } from '../native/replicas.ts';
import { startFaultProxy, type FaultProxy } from '../servers/fault-proxy.ts';
import { freePort } from '../servers/free-port.ts';

/** Between which parts a run puts a proxy: before nginx hands a request on, or before a replica asks that kind of server. */
export type LinkKind = 'nginx' | 'redis' | 'postgres';

/** What can be done to the connections from one part to another: `heal()` ends all of it. */
export type Link = Omit<FaultProxy, 'port' | 'through' | 'pointTo' | typeof Symbol.asyncDispose>;

/**
 * The connections between the parts of a cluster of processes, each through a proxy of its own, so that one replica alone
 * can lose a server. They stand only in runs that ask for them, in the process of the run: a cluster that serves people
 * has none. An own process would cost a word between processes for each fault, and could not be given `matching`.
 */
export interface Links extends Ways, AsyncDisposable {
  /** `booking-1>redis`, in the order in which they were made. */
  names(): string[];
  between(from: string, to: string): Link | undefined;
}

/**
 * A proxy accepts also for a replica that is gone, which would have refused: with links of nginx a killed replica costs
 * requests that nginx could otherwise have given to another one.
 */
export function createLinks(kinds: readonly LinkKind[]): Links {
  const proxies = new Map<string, FaultProxy>();
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
    const proxy = proxies.get(name) ?? (await startFaultProxy(targetPort, port));
    proxies.set(name, proxy);
    proxy.pointTo(targetPort);
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
    names: () => [...proxies.keys()],
    between: (from, to) => proxies.get(nameOf(from, to)),
    async [Symbol.asyncDispose]() {
      await last;
      for (const proxy of proxies.values()) await proxy[Symbol.asyncDispose]();
    },
  };
}

function nameOf(from: string, to: string): string {
  return `${from}>${to}`;
}
