import { readFileSync } from 'node:fs';

import { createScript, type Script } from './redis-calls.ts';

const steps = ['acquire', 'extend', 'yield', 'release', 'poll', 'steal', 'inspect'] as const;

export type QueueScripts = Record<(typeof steps)[number], Script>;

/** What `lua/queue-shared.lua` says about each. */
export interface QueueScriptSettings {
  readonly channelPrefix: string;
  readonly claimMs: number;
  readonly staleMs: number;
  readonly queueMemoryMs: number;
  readonly tokenMemoryMs: number;
  readonly countsReceivers: boolean;
}

const read = (name: string) => readFileSync(new URL(`../lua/queue-${name}.lua`, import.meta.url), 'utf8');
const shared = read('shared');
const bodies = new Map(steps.map((step) => [step, read(step)]));

/** The settings never change, so they stand in the scripts: five arguments less to send, and to parse, per call. */
export function queueScripts(settings: QueueScriptSettings): QueueScripts {
  const names = Object.keys(settings).join(', ');
  const values = Object.values(settings).map(luaLiteral).join(', ');
  const start = `local ${names} = ${values}\n${shared}`;
  const scripts = steps.map((step) => [step, createScript(step, `${start}${bodies.get(step) ?? ''}`)]);
  return Object.fromEntries(scripts) as QueueScripts;
}

/** Strings byte by byte: no text, whatever is in it, can end the literal. */
function luaLiteral(value: string | number | boolean): string {
  if (typeof value !== 'string') return String(value);
  return `"${[...Buffer.from(value)].map((byte) => `\\${String(byte).padStart(3, '0')}`).join('')}"`;
}
