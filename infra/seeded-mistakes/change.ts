import { readFile } from 'node:fs/promises';

/** One change of one place. */
export interface Change {
  readonly file: string;
  /** Must be there exactly once. */
  readonly right: string;
  readonly wrong: string;
}

/**
 * @returns the whole of each file with its changes, by the file's name
 * @throws where a place is not found exactly once, naming each of them: then the list of mistakes is out of date
 */
export async function applyChanges(
  root: URL,
  name: string,
  changes: readonly Change[],
): Promise<Map<string, string>> {
  const texts = new Map<string, string>();
  const misplaced: string[] = [];
  for (const { file, right, wrong } of changes) {
    const parts = (texts.get(file) ?? (await readFile(new URL(file, root), 'utf8'))).split(right);
    if (parts.length !== 2)
      misplaced.push(`"${name}": ${file} has ${parts.length - 1} places with: ${right}`);
    texts.set(file, parts.join(wrong));
  }
  if (misplaced.length > 0) throw new Error(misplaced.join('\n'));
  return texts;
}
