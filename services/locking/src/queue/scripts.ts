import { createScript, type Script } from '../client/script.ts';
import { readLua } from '../lua-file.ts';

const steps = ['acquire', 'extend', 'yield', 'release', 'poll', 'steal', 'inspect'] as const;

export type QueueScripts = Record<(typeof steps)[number], Script>;

/** What `lua/queue-common.lua` says about each. */
export interface QueueScriptSettings {
  readonly channelPrefix: string;
  readonly staleMs: number;
  readonly queueMemoryMs: number;
  readonly tokenMemoryMs: number;
  readonly countsReceivers: boolean;
}

const common = `${readLua('token-memory.lua')}\n${readLua('queue-common.lua')}`;
const bodies = steps.map((step) => [step, readLua(`queue-${step}.lua`)] as const);

/** Without their settings. */
export const queueScriptTexts = [common, ...bodies.map(([, body]) => body)];

/** The settings never change, so they stand in the scripts: five arguments less to send, and to parse, per call. */
export function queueScripts(settings: QueueScriptSettings): QueueScripts {
  const names = Object.keys(settings).join(', ');
  const values = Object.values(settings).map(luaLiteral).join(', ');
  const scripts = bodies.map(([step, body]) => [
    step,
    createScript(step, `local ${names} = ${values}\n${common}\n${body}`),
  ]);
  return Object.fromEntries(scripts) as QueueScripts;
}

/** Strings byte by byte: no text, whatever is in it, can end the literal. */
function luaLiteral(value: string | number | boolean): string {
  if (typeof value === 'boolean') return String(value);
  // Numbers too, as most of them go on to Redis, which takes strings; Lua calculates with either.
  if (typeof value === 'number') return `'${value}'`;
  return `"${[...Buffer.from(value)].map((byte) => `\\${String(byte).padStart(3, '0')}`).join('')}"`;
}
