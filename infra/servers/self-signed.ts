import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** Both as PEM. The certificate is its own authority: whoever is to trust it is given it as `ca`. */
export interface Certificate {
  readonly certificate: string;
  readonly key: string;
}

// A key on an elliptic curve is made within milliseconds.
const opensslTimeoutMs = 20_000;

const opensslArgs = [
  'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1',
  '-subj /CN=lastseat -addext subjectAltName=IP:127.0.0.1,DNS:localhost',
].flatMap((args) => args.split(' '));

/** A certificate for a server on this machine, made anew by openssl and valid for a day. */
export async function selfSign(): Promise<Certificate> {
  const dir = await mkdtemp(join(tmpdir(), 'lastseat-certificate-'));
  try {
    const [certificate, key] = [join(dir, 'server.crt'), join(dir, 'server.key')];
    await promisify(execFile)('openssl', [...opensslArgs, '-keyout', key, '-out', certificate], {
      timeout: opensslTimeoutMs,
    });
    return { certificate: await readFile(certificate, 'utf8'), key: await readFile(key, 'utf8') };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
