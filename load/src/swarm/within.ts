import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

import type { CheckVerdict } from '../runs/run.ts';
import type { Oracle } from '../truth.ts';
import type { SwarmNode } from './swarm.ts';

/** What a replica that was cut off told those who could still ask it. */
export interface FromWithin {
  asked: number;
  /** The ids of the bookings that it says it has made. */
  booked: string[];
}

/**
 * Books on a node that is cut off, by one of its own replicas: an engine on this machine still answers then, and one that is
 * reached over the cable does not (null). All of it is asked, and answered, while the cable is out.
 */
export async function askFromWithin(
  { host }: SwarmNode,
  replica: string,
  events: readonly { strategy: string; eventId: number }[],
  cableOutMs: number,
): Promise<FromWithin | null> {
  if (!host.startsWith('unix:')) return null;
  const paths = events.map(({ strategy, eventId }) => `/book/${strategy}/${eventId}`);
  // The last answer has to come before the cable is put back.
  const forMs = cableOutMs - ANSWERED_WITHIN_MS - SLACK_MS;
  const child = spawn(
    'docker',
    ['--host', host, 'exec', replica, 'node', '-e', ASK, String(forMs), ...paths],
    {
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: cableOutMs - SLACK_MS,
      killSignal: 'SIGKILL',
    },
  );
  const ended = once(child, 'close');
  const told = { asked: 0, booked: [] as string[] };
  for await (const line of createInterface(child.stdout)) {
    const { status, bookingId } = JSON.parse(line) as { status: number; bookingId?: string };
    told.asked += 1;
    if (status === 201) told.booked.push(bookingId ?? 'one without an id');
  }
  await ended;
  return told;
}

const ANSWERED_WITHIN_MS = 12_000;
const SLACK_MS = 2_000;

/** Runs in the container: one buyer for each path, each of whom waits for the answer. */
const ASK = `
const [, forMs, ...paths] = process.argv;
const untilMs = Date.now() + Number(forMs);
for (const path of paths) void (async () => {
  while (Date.now() < untilMs) {
    const said = await fetch('http://127.0.0.1:' + process.env.PORT + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ customer: 'cut-off' }),
      signal: AbortSignal.timeout(${ANSWERED_WITHIN_MS}),
    }).then(async (answer) => ({ status: answer.status, ...(await answer.json()) }), () => ({ status: 0 }));
    console.log(JSON.stringify({ status: said.status, bookingId: said.bookingId }));
    await new Promise((done) => setTimeout(done, 250));
  }
})();
`;

/** Whatever it says that it sold, the database has accepted. */
export async function judgeFromWithin(
  { booked }: FromWithin,
  events: readonly { eventId: number }[],
  oracle: Oracle,
): Promise<CheckVerdict> {
  const check = 'cut-off-sold-nothing-else';
  const rows = new Set<string>();
  // One after another: an oracle has one connection.
  for (const { eventId } of events)
    for (const { id } of (await oracle.read(eventId))?.rows ?? []) rows.add(id);
  const missing = booked.filter((id) => !rows.has(id));
  if (missing.length === 0) return { check, verdict: 'passed', detail: null };
  const detail = `${missing.length} bookings that a replica made which was cut off are not in Postgres`;
  return { check, verdict: 'failed', detail };
}
