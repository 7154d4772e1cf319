import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';

import { UsageError } from '@lastseat/infra/command-line';

import type { Operation } from './operation.ts';

/** The operations of a file, one after the other: a long one does not have to fit into the memory. */
export async function* readHistory(path: string): AsyncGenerator<Operation> {
  const input = createReadStream(path, 'utf8');
  let number = 0;
  try {
    for await (const line of createInterface({ input, crlfDelay: Infinity })) {
      number += 1;
      if (line.trim() !== '') yield asOperation(line, `${path}:${number}`);
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw new UsageError(`${path} cannot be read (${code})`, { cause: error });
  }
}

const KINDS: ReadonlySet<string> = new Set<Operation['operation']>([
  'create',
  'book',
  'hold',
  'confirm',
  'expire',
  'cancel',
  'read',
  'count',
]);
const OUTCOMES: ReadonlySet<string> = new Set<Operation['outcome']>(['ok', 'rejected', 'unknown']);

function asOperation(line: string, where: string): Operation {
  let operation: Partial<Operation>;
  try {
    operation = JSON.parse(line) as Operation;
  } catch (error) {
    throw new UsageError(`${where}: not JSON; was the run cut off while it wrote?`, { cause: error });
  }
  const wrong = [
    KINDS.has(operation.operation ?? '') ? '' : 'operation',
    OUTCOMES.has(operation.outcome ?? '') ? '' : 'outcome',
    Number.isInteger(operation.event) ? '' : 'event',
    Number.isFinite(operation.startMs) ? '' : 'startMs',
    operation.endMs === null || Number.isFinite(operation.endMs) ? '' : 'endMs',
  ].filter(Boolean);
  if (wrong.length > 0) throw new UsageError(`${where}: no operation of a history (${wrong.join(', ')})`);
  return operation as Operation;
}
