import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Secrets {
  /** Of the Postgres superuser, who only sets things up. */
  admin: string;
  /** Of the role that the service and the harness use. */
  app: string;
  /** Of the role with which Postgres servers follow their primary. */
  replication: string;
  /** Of the role that may see what Postgres does, and no data. */
  watching: string;
  /** What the replicas make the secrets of bookings with, where BOOKING_KEY is not set. */
  bookingKey: string;
}

/** Made once for each data directory, readable by its owner alone, never in the repository. */
export function loadSecrets(dir: string): Secrets {
  const path = join(dir, 'secrets.json');
  const kept = readSecrets(path);
  const made = { admin: hex(16), app: hex(16), replication: hex(16), watching: hex(16), bookingKey: hex(32) };
  const secrets = { ...made, ...kept };
  // A data directory of before there was one of them gets it now.
  if (Object.keys(secrets).length > Object.keys(kept).length) {
    mkdirSync(dir, { recursive: true });
    writeFileSync(path, JSON.stringify(secrets), { mode: 0o600 });
  }
  return secrets;
}

function readSecrets(path: string): Partial<Secrets> {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Partial<Secrets>;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return {};
  }
}

function hex(bytes: number): string {
  return randomBytes(bytes).toString('hex');
}
