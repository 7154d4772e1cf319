import { execFile, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';

import { expect, inject, test } from 'vitest';

import { openHouse } from '../support/house.ts';
import { startReplica } from '../support/replica.ts';

/** The commands of the READMEs with `curl` do what they show, one after the other. */

const root = new URL('../../../../', import.meta.url);
const execute = promisify(execFile);

/** What is another one each time. */
const VOLATILE = new Set(['bookingId', 'instanceId', 'requestId', 'fencingToken', 'expiresAt']);

/** Each command with the last line that it prints, which is the body of the answer. */
function examples(readme: string): { command: string; shown: string }[] {
  const [, section = ''] = readFileSync(new URL(readme, root), 'utf8').split('\n## Calling it\n');
  const [text = ''] = section.split('\n## ');
  const blocks = [...text.matchAll(/```console\n(.*?)```/gs)].map(([, block = '']) => block.trim());
  return blocks
    .flatMap((block) => block.split(/\n\n(?=\$ )/))
    .map((example) => {
      const [, command = '', output = ''] = /^\$ ((?:[^\n]*\\\n)*[^\n]*)\n(.*)$/s.exec(example) ?? [];
      return { command, shown: output.split('\n').at(-1) ?? '' };
    });
}

function steady(body: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(body).map(([name, value]) => [
      name,
      VOLATILE.has(name) ? `some ${value === null ? 'null' : typeof value}` : value,
    ]),
  );
}

const hasCurl = spawnSync('curl', ['--version']).status === 0;

test.skipIf(!hasCurl).each([
  { readme: 'README.md', commands: 3 },
  { readme: 'services/booking/README.md', commands: 9 },
])('every command of $readme prints what it shows (needs curl)', async ({ readme, commands }) => {
  await using house = await openHouse(inject('postgresUrl'));
  const eventId = await house.newEvent(1);
  await house.db.updateTable('events').set({ name: 'Last seat' }).where('id', '=', eventId).execute();
  const env = { DATABASE_URL: house.databaseUrl, REDIS_URL: inject('redisUrl') };
  await using replica = await startReplica('readme', env);
  /** Of each booking in the README, the one that was made here. */
  const bookings = new Map<string, string>();

  const all = examples(readme);
  expect(all).toHaveLength(commands);
  for (const { command, shown } of all) {
    let here = command.replaceAll('localhost:8080', new URL(replica.url).host);
    here = here.replaceAll(/\/(book-with-lock|events|reset)\/1\b/g, `/$1/${eventId}`);
    for (const [there, id] of bookings) here = here.replaceAll(there, id);
    const { stdout } = await execute('sh', ['-c', here.replace(/^curl/, 'curl -sS --max-time 20')]);
    const body = JSON.parse(stdout.split('\n').at(-1) ?? '') as Record<string, unknown>;
    const like = JSON.parse(
      shown.replaceAll(/("(?:id|eventId)":|Event )1\b/g, `$1${eventId}`),
    ) as typeof body;
    expect({ command, ...steady(body) }).toEqual({ command, ...steady(like) });
    if (typeof like['bookingId'] === 'string') {
      const known = bookings.get(like['bookingId']) ?? body['bookingId'];
      // The same booking where the README shows the same.
      expect(body['bookingId']).toBe(known);
      bookings.set(like['bookingId'], String(known));
    }
  }
});
