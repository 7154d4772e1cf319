import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';

import { Command } from 'ioredis';

import type { RedisClient } from '../redis-script.ts';
import { isCluster } from './redis-connections.ts';

export interface Script {
  readonly name: string;
  readonly text: string;
  readonly sha1: string;
  /** The call by its hash, written out: all that comes before the number of keys. */
  readonly evalsha: string;
}

/** One of Redis's own commands, where it does what a script would do: one that takes a key, and arguments. */
export interface PlainCommand {
  readonly name: 'hdel';
  /** Its name, written out. */
  readonly written: string;
}

/** Deletes a field of a hash: the reply tells whether it was there. */
export const hdel: PlainCommand = { name: 'hdel', written: bulk('hdel') };

export function createScript(name: string, text: string): Script {
  const sha1 = createHash('sha1').update(text).digest('hex');
  return { name, text, sha1, evalsha: bulk('evalsha') + bulk(sha1) };
}

/** Keys of a call, and how they are written out: for a script all of them, for a plain command the first. */
export interface Keys {
  readonly list: readonly [string, ...string[]];
  readonly text: string;
  readonly first: string;
}

export function writeKeys(list: Keys['list']): Keys {
  return { list, text: [`${list.length}`, ...list].map(bulk).join(''), first: bulk(list[0]) };
}

/** What is sent, and who hears of the reply: at once, in the middle of reading it from the socket. */
export interface ScriptCall {
  readonly script: Script | PlainCommand;
  readonly keys: Keys;
  /** Strings, as turning numbers into strings would cost ioredis more than us. */
  readonly args: readonly string[];
  succeed(reply: unknown): void;
  fail(error: Error): void;
}

/** Sends a call: `evalsha` by the hash of its script, `eval` with its text. (A plain command there is one way to send.) */
export type SendScript = (call: ScriptCall, how: 'evalsha' | 'eval') => void;

export function createScriptSender(connection: RedisClient): SendScript {
  if (isCluster(connection)) {
    // It looks at keys and arguments to find the node, and may have to send a command more than once.
    return (call, how) => {
      const { script, keys, args } = call;
      const reply =
        'text' in script
          ? connection[how](
              how === 'evalsha' ? script.sha1 : script.text,
              keys.list.length,
              ...keys.list,
              ...args,
            )
          : connection[script.name](keys.list[0], ...args);
      reply.then(
        (reply) => call.succeed(reply),
        (error: Error) => call.fail(error),
      );
    };
  }
  return (call, how) => void connection.sendCommand(new WrittenCommand(call, how) as unknown as Command);
}

/**
 * A command that is written out here, in one string, and passes its reply on without a promise. The usual one of
 * ioredis copies, checks and measures each of its arguments several times over, which costs more than all the rest of
 * a lock.
 *
 * All that ioredis 5 and 6 use of such a command is defined here, so that it does not matter from which of them the
 * connection is; and what others may use is inherited, without the work of its constructor.
 */
class WrittenCommand {
  readonly name: string;
  /** Named in errors. */
  readonly args: readonly string[];
  readonly replyEncoding = 'utf8';
  /** There is no promise to trace. */
  readonly isTraced = true;
  readonly #call: ScriptCall;

  constructor(call: ScriptCall, how: 'evalsha' | 'eval') {
    const { script } = call;
    this.name = 'text' in script ? how : script.name;
    this.args = 'text' in script ? [script.sha1] : [];
    this.#call = call;
  }

  toWritable(): string {
    const { script, keys, args } = this.#call;
    let text;
    if ('text' in script) {
      const command = this.name === 'evalsha' ? script.evalsha : bulk('eval') + bulk(script.text);
      text = `*${3 + keys.list.length + args.length}\r\n${command}${keys.text}`;
    } else {
      text = `*${2 + args.length}\r\n${script.written}${keys.first}`;
    }
    for (const arg of args) text += bulk(arg);
    return text;
  }

  resolve(reply: unknown): void {
    this.#call.succeed(typeof reply === 'number' ? reply : readText.call(this, reply));
  }

  reject(error: Error): void {
    this.#call.fail(error);
  }

  /** Scripts answer alike in all versions of the protocol. */
  setReplyContext(): void {}

  /** Each call has a time-out already. */
  setTimeout(): void {}
}

Object.setPrototypeOf(WrittenCommand.prototype, Command.prototype);

/** Turns what ioredis has read as bytes into strings. */
const readText = Command.prototype.transformReply as (this: unknown, reply: unknown) => unknown;

function bulk(text: string): string {
  return `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
}
