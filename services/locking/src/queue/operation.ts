import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';

import type { Cluster } from 'ioredis';

/** What is asked of Redis in one go: a script, or one of its own commands that does what a script would do. */
export interface Operation {
  readonly name: string;
  /** As which command of Redis it is sent. */
  commandName(how: How): string;
  /** The whole call as it goes over a socket. */
  write(how: How, keys: Keys, args: readonly string[]): string;
  /** Through a cluster, which looks at the keys to find the node. */
  sendTo(cluster: Cluster, how: How, keys: Keys, args: readonly string[]): Promise<unknown>;
  /** The reply that an error stands for, if it stands for one. */
  replyOf(error: Error): unknown;
}

/** A script is called by its hash, or sent along where Redis does not know it. (A command of Redis has one way only.) */
export type How = 'evalsha' | 'eval';

/** Keys of a call, and how they are written out: for a script all of them, for a command of Redis the first. */
export interface Keys {
  readonly list: readonly [string, ...string[]];
  readonly text: string;
  readonly first: string;
}

export function writeKeys(list: Keys['list']): Keys {
  return { list, text: [`${list.length}`, ...list].map(bulk).join(''), first: bulk(list[0]) };
}

export function createScript(name: string, text: string): Operation {
  const sha1 = createHash('sha1').update(text).digest('hex');
  const evalsha = bulk('evalsha') + bulk(sha1);
  return {
    name,
    commandName: (how) => how,
    write(how, keys, args) {
      const head = how === 'evalsha' ? evalsha : bulk('eval') + bulk(text);
      return written(3 + keys.list.length + args.length, head + keys.text, args);
    },
    sendTo: (cluster, how, { list }, args) =>
      cluster[how](how === 'evalsha' ? sha1 : text, list.length, ...list, ...args),
    replyOf: () => undefined,
  };
}

const hdelHead = bulk('hdel');

/** Deletes a field of the hash that is the first key. Reply: 1 if it was there, otherwise 0. */
export const hdel: Operation = {
  name: 'hdel',
  commandName: () => 'hdel',
  write: (_how, keys, args) => written(2 + args.length, hdelHead + keys.first, args),
  sendTo: (cluster, _how, { list: [key] }, args) => cluster.hdel(key, ...args),
  // Somebody else's is there, and what was looked for is not.
  replyOf: (error) => (error.message.startsWith('WRONGTYPE') ? 0 : undefined),
};

function written(parts: number, head: string, args: readonly string[]): string {
  let text = `*${parts}\r\n${head}`;
  for (const arg of args) text += bulk(arg);
  return text;
}

function bulk(text: string): string {
  return `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
}
