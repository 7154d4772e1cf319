import { systemTimers } from '../timers.ts';
import { createCalls, type Calls } from './calls.ts';
import type { Connection } from './port.ts';
import { loadScript } from './script.ts';

export interface ServerFinding {
  /** `error`: locks will not work, or not be safe; `warning`: they may not be; `unknown`: it could not be found out. */
  level: 'error' | 'warning' | 'unknown';
  message: string;
}

/** What a lock does with Redis. */
export interface Uses {
  /** A key as its keys are. */
  readonly key: string;
  /** A channel as its channels are, if it has any. */
  readonly channel?: string;
  /** The texts of its scripts. */
  readonly scripts: readonly string[];
  /** The commands that it sends beside scripts. */
  readonly commands?: readonly string[];
}

/** ZPOPMIN, and scripts that are replicated by their effects and so may read the clock. */
const oldestVersion = [6, 2] as const;

/** Looks at the server once, at the start of a program: what is wrong with it is better known then. Never rejects. */
export async function checkServer(
  connection: Connection,
  timeoutMs: number,
  uses: Uses,
): Promise<ServerFinding[]> {
  const calls = createCalls(connection, systemTimers, { timeoutMs });
  try {
    const { reply: info } = await calls.send((own) => own.info());
    return [
      ...checkVersion(info),
      ...checkRole(info),
      ...(await checkEviction(calls, info)),
      ...(await checkRights(calls, uses)),
    ];
  } catch (error) {
    return [{ level: 'error', message: `Redis cannot be asked: ${reason(error)}.` }];
  } finally {
    calls.close();
  }
}

function checkVersion(info: string): ServerFinding[] {
  const version = field(info, 'redis_version') ?? field(info, 'valkey_version');
  if (version === undefined) return [{ level: 'unknown', message: 'The version of Redis is not told.' }];
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [oldestMajor, oldestMinor] = oldestVersion;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return [];
  return [{ level: 'error', message: `Redis ${version} is older than ${oldestVersion.join('.')}.` }];
}

function checkRole(info: string): ServerFinding[] {
  if (field(info, 'role') !== 'slave') return [];
  return [{ level: 'error', message: 'This Redis is a replica: locks can be taken on its master only.' }];
}

async function checkRights(calls: Calls, uses: Uses): Promise<ServerFinding[]> {
  const refused = await commandsNotPermitted(calls, uses);
  if (refused.length === 0) return [];
  const message = `The user of Redis may not use ${refused.join(', ')} with the keys and channels of this lock.`;
  return [{ level: 'error', message }];
}

const script = loadScript('check-rights');

/** What of that the user of Redis may not do. Nothing where the server cannot tell (before version 7). */
async function commandsNotPermitted(
  calls: Calls,
  { key, channel = '', scripts, commands = [] }: Uses,
): Promise<string[]> {
  const names = new Set(['EVALSHA', 'EVAL', ...commands]);
  for (const text of scripts) {
    for (const [, name = ''] of text.matchAll(/redis\.p?call\('([A-Z]+)'/g)) names.add(name);
  }
  try {
    return (await calls.run(script, [key], [channel, ...names])).reply as string[];
  } catch (error) {
    // It may not even call a script, or not with these keys.
    if (error instanceof Error && error.message.startsWith('NOPERM')) throw error;
    return [];
  }
}

async function checkEviction(calls: Calls, info: string): Promise<ServerFinding[]> {
  // INFO tells the policy too, and is permitted where CONFIG is not.
  const policy = field(info, 'maxmemory_policy') ?? (await configured(calls));
  if (policy === 'noeviction') return [];
  if (policy === undefined) {
    const message =
      'Whether Redis evicts keys when memory is short cannot be found out; it must not (noeviction).';
    return [{ level: 'unknown', message }];
  }
  const limited = field(info, 'maxmemory') !== '0';
  return [
    {
      level: limited ? 'error' : 'warning',
      message: `maxmemory-policy is ${policy}: when memory is short a lock can be evicted while it is held. Set it to noeviction.`,
    },
  ];
}

async function configured(calls: Calls): Promise<string | undefined> {
  const parameter = 'maxmemory-policy';
  try {
    const { reply } = await calls.send((own) => own.configGet(parameter));
    return Array.isArray(reply) ? (reply[1] as string) : (reply as Record<string, string>)[parameter];
  } catch {
    return undefined;
  }
}

function field(info: string, name: string): string | undefined {
  return new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1];
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
