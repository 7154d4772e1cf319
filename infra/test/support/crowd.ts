/** By the event's home; and over all replicas: the default, where they book for one another, and each for itself. */
const allWays = ['/events/1/bookings', '/book/batched-lock/1', '/book/atomic-update/1'];

/** Clients that book without a pause, on connections that they keep, and remember what went wrong. */
export function startCrowd(url: string, paths: readonly string[] = allWays) {
  const failures: string[] = [];
  const instances = new Set<string>();
  const stopping = new AbortController();
  let booked = 0;
  let arrivals: { at: number; resolve: () => void }[] = [];

  async function client(path: string) {
    while (!stopping.signal.aborted) {
      try {
        const response = await post(`${url}${path}`);
        instances.add(response.headers.get('x-instance-id') ?? 'nobody');
        if (response.status !== 201) failures.push(`${response.status} ${await response.text()}`);
        else booked += 1;
      } catch (error) {
        failures.push(String((error as Error).cause ?? error));
      }
      for (const { at, resolve } of arrivals) if (booked >= at) resolve();
      arrivals = arrivals.filter(({ at }) => booked < at);
    }
  }

  const clients = Array.from({ length: 16 }, (_, i) => client(paths[i % paths.length] ?? ''));
  return {
    failures,
    instances,
    get booked() {
      return booked;
    },
    /** Resolves when so many more tickets have been booked. */
    reaches: (more: number) => new Promise<void>((resolve) => arrivals.push({ at: booked + more, resolve })),
    async stop() {
      stopping.abort();
      await Promise.all(clients);
    },
    async [Symbol.asyncDispose]() {
      await this.stop();
    },
  };
}

/** The whole answer: a body that is left unread would hold its connection. */
export async function post(url: string): Promise<Response> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  });
  const body = await response.text();
  return new Response(body, response);
}
