import type { EventView, Problem, StrategyView } from '@lastseat/booking/contract';
import { UsageError } from '@lastseat/infra/command-line';
import { findStack, UserError } from '@lastseat/infra/stack';
import { Client } from 'pg';

/** The stack that a crowd is let loose on. */
export interface Target {
  url: string;
  postgresUrl: string;
  /** Null if nobody said. */
  replicas: number | null;
  /** How it runs, as far as known. */
  runtime: 'docker' | 'native' | null;
  hasQuorum: boolean;
  /** Named by the user, with `--url`. */
  isChosen?: boolean;
}

export interface TargetWishes {
  url: string | undefined;
  databaseUrl: string | undefined;
  replicas: number | undefined;
}

/** The stack that is up, or the one that the options name. Throws a `UserError` of one line. */
export async function findTarget({ url, databaseUrl, replicas }: TargetWishes): Promise<Target> {
  if (url !== undefined && databaseUrl !== undefined) {
    refuseOthersMachines('--url', httpHost(url));
    refuseOthersMachines('--database-url', databaseHost(databaseUrl));
    return {
      url: new URL(url).origin,
      postgresUrl: databaseUrl,
      replicas: replicas ?? null,
      runtime: null,
      isChosen: true,
      // Nobody has said that it has not; a booking would.
      hasQuorum: true,
    };
  }
  const stack = await findStack();
  return {
    url: stack.url,
    postgresUrl: stack.postgresUrl,
    replicas: stack.replicas,
    runtime: stack.runtime,
    hasQuorum: stack.quorumUrls.length > 0,
  };
}

/** Asked before anything else: an address where nobody answers is a wrong option, not a run that failed. */
export async function refuseSilent({ url, isChosen }: Target): Promise<void> {
  await fetch(new URL('/livez', url), { signal: AbortSignal.timeout(SETUP_TIMEOUT_MS) }).catch(
    (error: unknown) => {
      const silent = `${url} does not answer (${reasonOf(error)})`;
      throw isChosen
        ? new UsageError(`--url: ${silent}`, { cause: error })
        : new UserError(`${silent}: make ps says what is up`, { cause: error });
    },
  );
}

/** What an event may limit. */
export type Limits = Pick<EventView, 'maxPerCustomer'>;

/** A fresh event: nobody else's bookings are in it, and nobody else's event is changed. */
export async function createEvent(
  target: Target,
  name: string,
  tickets: number,
  terms: Limits = {},
): Promise<number> {
  const event = await send<EventView>(target, 'POST', '/events', { name, capacity: tickets, ...terms });
  return event.id;
}

// Each takes a millisecond or two; more at a time would only wait for one another.
const CREATED_AT_A_TIME = 16;

/** One event for each number of tickets, in their order. */
export async function createEvents(
  target: Target,
  name: string,
  tickets: readonly number[],
  terms?: Limits,
): Promise<number[]> {
  const ids: number[] = [];
  for (let from = 0; from < tickets.length; from += CREATED_AT_A_TIME) {
    const some = tickets.slice(from, from + CREATED_AT_A_TIME);
    ids.push(...(await Promise.all(some.map((capacity) => createEvent(target, name, capacity, terms)))));
  }
  return ids;
}

/** Asked of the service itself, which knows whether it has what a strategy needs. */
export async function offeredStrategies(url: string): Promise<StrategyView[]> {
  const response = await fetch(new URL('/strategies', url), {
    signal: AbortSignal.timeout(SETUP_TIMEOUT_MS),
  });
  return ((await response.json()) as StrategyView[]).filter(({ available }) => available);
}

/** Empties an event of the user's choice. */
export async function resetEvent(target: Target, eventId: number, tickets: number): Promise<void> {
  await send<unknown>(target, 'POST', `/reset/${eventId}?tickets=${tickets}`);
}

// One request on a quiet stack: longer than this and it is not going to answer.
const SETUP_TIMEOUT_MS = 10_000;

async function send<T>(target: Target, method: string, path: string, body?: object): Promise<T> {
  const response = await fetch(new URL(path, target.url), {
    method,
    signal: AbortSignal.timeout(SETUP_TIMEOUT_MS),
    ...(body ? { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) } : {}),
  }).catch((error: unknown) => {
    throw new UserError(`${target.url} does not answer (${reasonOf(error)}): make ps says what is up`);
  });
  const content: unknown = await response.json().catch(() => null);
  if (response.ok) return content as T;
  const problem = content as Partial<Problem> | null;
  const lab = response.status === 404 || response.status === 401 ? ' Is it in lab mode?' : '';
  throw new UserError(
    `${method} ${path} answered ${response.status}: ${problem?.detail ?? 'no reason given.'}${lab}`,
  );
}

function reasonOf(error: unknown): string {
  const { message, cause } = error as Error & { cause?: { code?: string } };
  return cause?.code ?? message;
}

function httpHost(address: string): string {
  const url = URL.parse(address);
  if (!url || !/^https?:$/.test(url.protocol)) throw new UsageError(`--url ${address}: not an http address`);
  return url.hostname.replace(/^\[|\]$/g, '');
}

// Asked of the client itself, because `?host=` in the address may overrule the host in its middle.
function databaseHost(address: string): string {
  if (!/^postgres(ql)?:/.test(address)) throw new UsageError('--database-url: not a postgres:// address');
  try {
    return new Client({ connectionString: address }).host;
  } catch {
    throw new UsageError('--database-url: not a postgres:// address');
  }
}

// A crowd is an attack when it meets somebody else's machine, and a reset is worse.
function refuseOthersMachines(option: string, host: string): void {
  const isLoopback =
    host === 'localhost' || host === '::1' || /^127(\.\d+){3}$/.test(host) || host.startsWith('/');
  if (!isLoopback)
    throw new UsageError(`${option}: ${host} is not this machine; only loopback addresses are load-tested`);
}
