import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { membersAt } from '../../native/redundant/ask-members.ts';
import { findPrimary } from '../../redundant/primary.ts';

/** Six servers that say what they are told to: what three of Redis and their sentinels say while one was frozen. */
const stack = new AsyncDisposableStack();
const ports = new Map<string, number>();
const roles = new Map<string, string>();
const named = new Map<string, string>();
const portOf = (name: string): number => ports.get(name) ?? 0;

beforeAll(async () => {
  for (const name of ['redis-1', 'redis-2', 'redis-3', 'sentinel-1', 'sentinel-2', 'sentinel-3']) {
    const server = createServer((socket) => {
      socket.once('data', (line) => {
        const port = String(portOf(named.get(name) ?? ''));
        const reply = line.toString().startsWith('ROLE')
          ? `*3\r\n$6\r\n${roles.get(name)}\r\n`
          : `*2\r\n$9\r\n127.0.0.1\r\n$${port.length}\r\n${port}\r\n`;
        socket.end(reply);
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    ports.set(name, (server.address() as AddressInfo).port);
    stack.defer(() => void server.close());
  }
});
afterAll(() => stack.disposeAsync());

function say(sentinels: readonly string[], masters: readonly string[]): void {
  for (const [index, name] of sentinels.entries()) named.set(`sentinel-${index + 1}`, name);
  for (const name of ['redis-1', 'redis-2', 'redis-3'])
    roles.set(name, masters.includes(name) ? 'master' : 'slave');
}

test.each([
  { what: 'all agree', sentinels: ['redis-2', 'redis-2', 'redis-2'], masters: ['redis-2'], is: 'redis-2' },
  {
    what: 'the one of before still takes itself for one, and a sentinel has not heard',
    sentinels: ['redis-1', 'redis-3', 'redis-3'],
    masters: ['redis-1', 'redis-3'],
    is: 'redis-3',
  },
  {
    what: 'the one that is named is none yet',
    sentinels: ['redis-3', 'redis-3', 'redis-3'],
    masters: [],
    is: null,
  },
  { what: 'they disagree', sentinels: ['redis-1', 'redis-2', 'redis-3'], masters: ['redis-1'], is: null },
])(
  'the primary is the one that most sentinels name, if it agrees: $what',
  async ({ sentinels, masters, is }) => {
    say(sentinels, masters);
    expect(await findPrimary('redis', membersAt(portOf))).toBe(is);
  },
);
