import { createHash } from 'node:crypto';

import { readLua } from '../lua-file.ts';

/** A Lua script, called by its hash. Only where the server does not have it is its text sent. */
export interface Script {
  readonly name: string;
  readonly text: string;
  readonly sha1: string;
}

/** They call what is in `lua/token-memory.lua`. */
const WRITE_TOKENS = new Set(['simple-acquire', 'extend', 'quorum-mint']);

/** The script `lua/<name>.lua`, after what it calls. */
export function loadScript(name: string): Script {
  const called = WRITE_TOKENS.has(name) ? `${readLua('token-memory.lua')}\n` : '';
  return createScript(name, `${called}${readLua(`${name}.lua`)}`);
}

export function createScript(name: string, text: string): Script {
  return { name, text, sha1: createHash('sha1').update(text).digest('hex') };
}
