import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';

/** Ids for the grants of one lock service. Each is unique among all grants ever, and names its service. */
export interface HolderIds {
  /** This service's own part, the same in all its ids. */
  readonly client: string;
  next(): string;
}

/** @param clientId how the process calls itself. It need not be unique: a random part is added. */
export function createHolderIds(clientId: string = `${hostname()}:${process.pid}`): HolderIds {
  // 72 random bits: no two services meet, not even forks of one process or replicas configured alike.
  const client = `${clientId}:${randomBytes(9).toString('base64url')}`;
  let grants = 0;
  return {
    client,
    next() {
      grants += 1;
      return `${client}:${grants.toString(36)}`;
    },
  };
}

/** What the id of a waiter in a queue tells, see lua/queue-common.lua. */
export interface WaiterId {
  readonly client: string;
  /** For how long it wants the lock when it is made the holder. */
  readonly ttlMs: number;
  /** As the holder it wants to be told when somebody asks. */
  readonly listens: boolean;
  readonly number: number;
}

export function writeWaiterId({ client, ttlMs, listens, number }: WaiterId): string {
  return `${client}/${ttlMs}${listens ? '~' : ':'}${number}`;
}

/** The number, if it is an id of that client. */
export function waiterNumber(id: string, client: string): number | undefined {
  if (!id.startsWith(`${client}/`)) return undefined;
  return Number(/[:~](\d+)$/.exec(id)?.[1]);
}

/** The service that a grant belongs to, by the `holder` of a lease or of an error. */
export function clientOf(holder: string): string {
  return holder.replace(/(?:\/\d+)?[:~]\w+$/, '');
}
