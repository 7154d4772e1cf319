import { randomBytes } from 'node:crypto';

import { Client, escapeIdentifier } from 'pg';

export interface Database extends AsyncDisposable {
  readonly url: string;
  readonly name: string;
}

/** An empty database of one's own on a running server, dropped with whoever is still connected to it. */
export async function createDatabase(adminUrl: string, prefix = 'test'): Promise<Database> {
  const name = `${prefix}_${randomBytes(6).toString('hex')}`;
  const url = new URL(adminUrl);
  url.pathname = `/${name}`;
  await runAsAdmin(adminUrl, `create database ${escapeIdentifier(name)}`);
  return {
    name,
    url: url.href,
    [Symbol.asyncDispose]: () =>
      runAsAdmin(adminUrl, `drop database if exists ${escapeIdentifier(name)} with (force)`),
  };
}

// Copying the template takes tens of milliseconds; a checkpoint on a busy disk may hold it up.
const statementTimeoutMs = 30_000;

async function runAsAdmin(adminUrl: string, statement: string): Promise<void> {
  const client = new Client({ connectionString: adminUrl, query_timeout: statementTimeoutMs });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
