import { closeSync, existsSync, openSync, unlinkSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

import { UsageError } from './usage-error.ts';

/** Where a program writes its JSON: into a file, or `-` for the standard output; null for nowhere. */
export type JsonTarget = string | null;

export function jsonTarget(value: string | undefined): JsonTarget {
  if (value === undefined || ['', '0', 'false'].includes(value)) return null;
  return value === '1' || value === 'true' ? '-' : value;
}

/** Before an hour of measuring rather than after it. Asked by opening it: root may write where no permission says so. */
export function refuseUnwritable(target: JsonTarget): void {
  if (target === null || target === '-') return;
  const isNew = !existsSync(target);
  try {
    closeSync(openSync(target, 'a'));
  } catch (error) {
    throw new UsageError(`JSON=${target} cannot be written: ${reasonOf(error, target)}`, { cause: error });
  }
  if (isNew) unlinkSync(target);
}

function reasonOf(error: unknown, path: string): string {
  const { code = 'no reason given' } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return `there is no folder ${dirname(path)}`;
  if (code === 'EISDIR') return 'it is a folder; name a file in it';
  return `choose another folder (${code})`;
}

/** Prints what people read, unless the standard output is for the JSON. */
export function speakBeside(target: JsonTarget): (text: string) => void {
  return target === '-' ? () => {} : (text) => void process.stdout.write(`${text}\n`);
}

export async function writeJson(target: JsonTarget, content: object): Promise<void> {
  const text = `${JSON.stringify(content, null, 2)}\n`;
  if (target === '-') process.stdout.write(text);
  else if (target !== null) await writeFile(target, text);
}
