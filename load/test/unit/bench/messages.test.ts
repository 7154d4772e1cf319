import { describe, expect, it } from 'vitest';

import { readBackend, readFrontend } from '#src/bench/messages/postgres-messages.ts';
import { readCommands } from '#src/bench/messages/redis-commands.ts';

describe('the messages of a client of Postgres', () => {
  // Startup, which has no type; then parse, bind, execute, sync; then a simple query.
  const stream = Buffer.concat([
    untyped('\0\x03\0\0user\0lastseat\0\0'),
    ...['P', 'B', 'E', 'S'].map((type) => typed(type, 'some bytes')),
    typed('Q', 'select 1\0'),
  ]);

  it.each([1, 2, 3, 7, 64, 4_096])('are told apart in chunks of %i bytes', (size) => {
    const types: string[] = [];
    feed(
      stream,
      size,
      readFrontend((type) => types.push(type)),
    );
    expect(types).toEqual(['P', 'B', 'E', 'S', 'Q']);
  });

  it('may be empty', () => {
    const types: string[] = [];
    feed(
      Buffer.concat([typed('Z', 'I'), typed('N', ''), typed('Z', 'T')]),
      2,
      readBackend((type) => types.push(type)),
    );
    expect(types).toEqual(['Z', 'N', 'Z']);
  });
});

describe('the commands of a client of Redis', () => {
  const stream = Buffer.from(
    // A value that looks like a command, an empty one, and characters of several bytes.
    command('SET', 'key', '*1\r\n$4\r\nPING\r\n') + command('EVALSHA', '', 'ü') + command('PING'),
  );

  it.each([1, 2, 5, 64, 4_096])('are counted in chunks of %i bytes', (size) => {
    let count = 0;
    feed(
      stream,
      size,
      readCommands(() => (count += 1)),
    );
    expect(count).toBe(3);
  });

  it('are not guessed from something else', () => {
    expect(() => readCommands(() => {})(Buffer.from('GET / HTTP/1.1\r\n'))).toThrow('not a command of Redis');
  });
});

function feed(stream: Buffer, size: number, read: (chunk: Buffer) => void): void {
  for (let at = 0; at < stream.length; at += size) read(stream.subarray(at, at + size));
}

function typed(type: string, body: string): Buffer {
  return Buffer.concat([Buffer.from(type), untyped(body)]);
}

function untyped(body: string): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(4 + Buffer.byteLength(body));
  return Buffer.concat([length, Buffer.from(body)]);
}

function command(...words: string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;
}
