import { createHash } from 'node:crypto';

import { readLua } from '../lua-file.ts';

/** A Lua script, called by its hash. Only where the server does not have it is its text sent. */
export interface Script {
  readonly name: string;
  readonly text: string;
  readonly sha1: string;
}

/** The script `lua/<name>.lua`. */
export function loadScript(name: string): Script {
  return createScript(name, readLua(`${name}.lua`));
}

export function createScript(name: string, text: string): Script {
  return { name, text, sha1: createHash('sha1').update(text).digest('hex') };
}
