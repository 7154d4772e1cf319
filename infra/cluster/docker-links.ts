import type { Container } from '../stack/docker/containers.ts';
import { CONTROL_PORT, PROXIES, SERVERS } from '../stack/docker/proxies.ts';
import type { Link, Links } from './links.ts';

// It does nothing but set what the next bytes meet; on a busy machine that takes some tenths of a second.
const ANSWERS_WITHIN_MS = 5_000;

/**
 * Between containers all connections from replicas to servers go through one more container, which tells the replicas
 * apart. None where a run has not asked for it.
 */
export function dockerLinks(containers: () => Promise<Container[]>): Links {
  async function find(): Promise<{ url: string; names: string[] } | null> {
    const all = await containers();
    const proxies = all.find(({ service, isRunning }) => service === PROXIES && isRunning);
    const address = proxies?.ports.find(({ inside }) => inside === CONTROL_PORT)?.publishedAs;
    if (address == null) return null;
    const replicas = all.flatMap(({ service, number }) =>
      service === 'booking' ? [`${service}-${number}`] : [],
    );
    const servers = Object.keys(SERVERS).filter((server) => all.some(({ service }) => service === server));
    const names = replicas.flatMap((replica) => servers.map((server) => `${replica}>${server}`));
    return { url: `http://${address}`, names };
  }

  return {
    names: async () => (await find())?.names ?? [],
    async between(from, to) {
      const found = await find();
      return found?.names.includes(`${from}>${to}`) ? linkAt(`${found.url}/${from}/${to}`) : undefined;
    },
  };
}

function linkAt(url: string): Link {
  async function ask(action: keyof Link, argument: object = {}): Promise<unknown> {
    const response = await fetch(`${url}/${action}`, {
      method: 'POST',
      body: JSON.stringify(argument),
      signal: AbortSignal.timeout(ANSWERS_WITHIN_MS),
    });
    if (!response.ok) throw new Error(`${action}: ${await response.text()}`);
    return response.json();
  }

  return {
    delay: async (latency) => void (await ask('delay', latency)),
    refuse: async () => void (await ask('refuse')),
    loseReplies: async (loss) => void (await ask('loseReplies', loss)),
    lostReplies: async () => Number(await ask('lostReplies')),
    heal: async () => void (await ask('heal')),
  };
}
