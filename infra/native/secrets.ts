import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Secrets {
  /** Of the Postgres superuser, who only sets things up. */
  admin: string;
  /** Of the role that the service and the harness use. */
  app: string;
}

/** Made once for each data directory, readable by its owner alone, never in the repository. */
export function loadSecrets(dir: string): Secrets {
  const path = join(dir, 'secrets.json');
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Secrets;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const secrets = { admin: randomBytes(16).toString('hex'), app: randomBytes(16).toString('hex') };
  mkdirSync(dir, { recursive: true });
  writeFileSync(path, JSON.stringify(secrets), { mode: 0o600, flag: 'wx' });
  return secrets;
}
