import { basename } from 'node:path';

/** The name that Compose gives to the project of a folder. */
export function projectNameOf(folder: string): string {
  const name = basename(folder)
    .toLowerCase()
    .replaceAll(/[^a-z0-9_-]/g, '')
    .replace(/^[_-]+/, '');
  return name === '' ? 'lastseat' : name; // Compose refuses such a folder; make need not
}
