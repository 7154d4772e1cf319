import { execFileSync } from 'node:child_process';

export interface ServiceUser {
  uid: number;
  gid: number;
}

/**
 * Whom a server runs as. Postgres refuses to run as root, and the others need no such power either: as root, the
 * first of the named users that exists; otherwise null, which means ourselves.
 */
export function serviceUser(...names: string[]): ServiceUser | null {
  if (process.getuid?.() !== 0) return null;
  for (const name of names) {
    try {
      return { uid: idOf('-u', name), gid: idOf('-g', name) };
    } catch {
      // no such user: the next
    }
  }
  throw new Error(
    `Running as root, a server needs a user of its own, and none of these exists: ${names.join(', ')}`,
  );
}

function idOf(flag: '-u' | '-g', name: string): number {
  return Number(execFileSync('id', [flag, name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
}
