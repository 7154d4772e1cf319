import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, chownSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { serviceUser } from '../servers/service-user.ts';
import type { ServiceUser } from '../servers/service-user.ts';
import { UserError } from '../stack/user-error.ts';

export const repository = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

/** Where one native stack keeps its state and logs: `.lastseat/native/PROJECT` in the repository, or in LASTSEAT_HOME. */
export function stackDir(
  project: string,
  home = process.env['LASTSEAT_HOME'] ?? join(repository, '.lastseat'),
): string {
  return join(home, 'native', project);
}

/** Makes the directories of a stack. @throws UserError when they belong to somebody else */
export function makeStackDir(dir: string): void {
  try {
    for (const path of [join(dir, '..', '..'), join(dir, '..'), dir]) {
      mkdirSync(path, { recursive: true });
      // As root the servers run as users of their own, who must get through to their data.
      if (process.getuid?.() === 0) chmodSync(path, 0o755);
    }
    mkdirSync(join(dir, 'logs'), { recursive: true });
    if (process.getuid?.() !== 0 && statSync(dir).uid !== process.getuid?.()) throw new Error('not ours');
  } catch (cause) {
    throw new UserError(
      `${dir} cannot be used: it is read-only or belongs to another user (was it made by root?), or its disk is full; ` +
        'LASTSEAT_HOME=folder names another place',
      {
        cause,
      },
    );
  }
}

/**
 * Where the servers' data goes: beside the state, except where the servers, which do not run as root even when we do,
 * cannot get there: below /root, say, or on a disk that knows no owners.
 */
export function chooseDataDir(dir: string): string {
  const beside = join(dir, 'data');
  const user = serviceUser('postgres');
  if (user === null || canOwnFilesIn(beside, user)) return beside;
  return join('/var/lib/lastseat', createHash('sha256').update(dir).digest('hex').slice(0, 12));
}

function canOwnFilesIn(dir: string, user: ServiceUser): boolean {
  const probe = join(dir, 'probe');
  try {
    mkdirSync(probe, { recursive: true });
    chownSync(probe, user.uid, user.gid);
    return spawnSync('test', ['-w', probe], { ...user, stdio: 'ignore' }).status === 0;
  } catch {
    return false;
  } finally {
    rmSync(probe, { recursive: true, force: true });
  }
}

/** A directory that belongs to the user. */
export function makePrivateDir(path: string, user: ServiceUser | null): string {
  mkdirSync(path, { recursive: true });
  if (user) chownSync(path, user.uid, user.gid);
  return path;
}

/**
 * Whom a server runs as: the owner of the data if there is any (the stack may have been made by another user than
 * the root who now runs it), otherwise its service user.
 */
export function ownerOf(path: string, ...names: string[]): ServiceUser | null {
  const fallback = serviceUser(...names);
  const existing = statSync(path, { throwIfNoEntry: false });
  if (fallback === null || existing === undefined || existing.uid === 0) return fallback;
  return { uid: existing.uid, gid: existing.gid };
}
