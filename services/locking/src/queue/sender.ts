import { Command } from 'ioredis';

import { isCluster, type RedisClient } from '../redis-script.ts';
import type { How, Keys, Operation } from './operation.ts';

/** What is sent, and who hears of the reply: at once, in the middle of reading it from the socket. */
export interface Sendable {
  readonly operation: Operation;
  readonly keys: Keys;
  /** Strings, as turning numbers into strings would cost ioredis more than us. */
  readonly args: readonly string[];
  succeed(reply: unknown): void;
  fail(error: Error): void;
}

export type Send = (call: Sendable, how: How) => void;

export function createSender(connection: RedisClient): Send {
  if (isCluster(connection)) {
    // It may have to send a command more than once.
    return (call, how) => {
      call.operation.sendTo(connection, how, call.keys, call.args).then(
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
  readonly #call: Sendable;
  readonly #how: How;

  constructor(call: Sendable, how: How) {
    this.name = call.operation.commandName(how);
    this.args = [call.operation.name];
    this.#call = call;
    this.#how = how;
  }

  toWritable(): string {
    const { operation, keys, args } = this.#call;
    return operation.write(this.#how, keys, args);
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
