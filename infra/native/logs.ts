import { closeSync, existsSync, fstatSync, openSync, readSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setInterval as everyMs } from 'node:timers/promises';

import type { Following } from '../cluster/cluster.ts';
import { hasReaderLeft } from '../command-line/reader.ts';
import { isRunning } from '../servers/processes.ts';
import { replicaNumber } from './replicas.ts';
import type { State } from './state.ts';

// What fits some screens of each part; the files have the rest.
const tailBytes = 16_384;
const pollMs = 250;

/**
 * Prints the end of every part's log, each line under the part's name, and then what is added until Ctrl-C, or for as long
 * as somebody reads it.
 */
export async function printLogs(dir: string, state: State | null, follow: boolean): Promise<void> {
  const logs = new Map<string, { offset: number; rest: string }>();

  function printNew() {
    for (const file of listLogs(join(dir, 'logs'))) {
      const log = logs.get(file) ?? { offset: -1, rest: '' };
      logs.set(file, log);
      const { text, offset } = readFrom(join(dir, 'logs', file), log.offset);
      const lines = (log.rest + text).split('\n');
      Object.assign(log, { offset, rest: follow ? lines.pop() : '' });
      const name = file.replace(/\.log$/, '');
      for (const line of lines) {
        if (line !== '' && !isEmptyPlace(line, state)) process.stdout.write(`${name.padEnd(10)} | ${line}\n`);
      }
    }
  }

  printNew();
  if (!follow) return;
  for await (const _ of everyMs(pollMs)) {
    printNew();
    if (hasReaderLeft()) return;
  }
}

/** The last lines of one part's log, as far as it reaches back. */
export function lastLines(dir: string, name: string, lines: number): string[] {
  const path = join(dir, 'logs', `${name}.log`);
  if (!existsSync(path)) return [];
  return readFrom(path, -1).text.split('\n').filter(Boolean).slice(-lines);
}

// Whoever watches wants to see it happen.
const followMs = 50;

/** Hears each line that is added to the log of a part from now on, also if it is started only later. */
export function followLog(dir: string, name: string, onLine: (line: string) => void): Following {
  const path = join(dir, 'logs', `${name}.log`);
  let offset = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  let rest = '';
  function readNew() {
    if ((statSync(path, { throwIfNoEntry: false })?.size ?? offset) === offset) return;
    const read = readFrom(path, offset);
    offset = read.offset;
    const lines = (rest + read.text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line);
  }
  const timer = setInterval(readNew, followMs);
  timer.unref();
  return { ready: Promise.resolve(), [Symbol.dispose]: () => clearInterval(timer) };
}

function listLogs(dir: string): string[] {
  return existsSync(dir) ? readdirSync(dir).filter((file) => file.endsWith('.log')) : [];
}

/** From the offset to the end; a negative one means the last few lines. A file that was cut is read anew. */
function readFrom(path: string, from: number): { text: string; offset: number } {
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    const start = from < 0 ? Math.max(0, size - tailBytes) : from > size ? 0 : from;
    const buffer = Buffer.alloc(Math.min(size - start, 1_000_000)); // the rest comes with the next turn
    const length = readSync(file, buffer, 0, buffer.length, start);
    return { text: buffer.toString('utf8', 0, length), offset: start + length };
  } finally {
    closeSync(file);
  }
}

/** nginx tries the places of replicas that do not exist every few seconds, and says so each time. */
function isEmptyPlace(line: string, state: State | null): boolean {
  const port =
    /(?:refused\)|disabled) while connecting to upstream.* upstream: "http:\/\/127\.0\.0\.1:(\d+)/.exec(
      line,
    )?.[1];
  if (port === undefined) return false;
  const number = Number(port) - (state?.ports['first-replica'] ?? 0) + 1;
  const part = Object.entries(state?.parts ?? {}).find(([name]) => replicaNumber(name) === number)?.[1];
  return part === undefined || !isRunning(part);
}
