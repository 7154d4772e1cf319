import { setTimeout as sleep } from 'node:timers/promises';

import { capture, UserError } from '@lastseat/infra/stack';

export const COMMANDS = ['kill', 'boot', 'unplug', 'plug'] as const;
export type Command = (typeof COMMANDS)[number];

/** What strikes a node and mends it, as a shell understands it: each is called with the name of the node. */
export type Commands = Partial<Record<Command, string | undefined>>;

// A boot may load images; the others are a moment's work.
const WITHIN_MS = 180_000;
// Nodes choose a leader in some ten seconds, and until then a swarm answers nothing that a command may ask.
const DONE_WITHIN_MS = 60_000;
const AGAIN_MS = 1_000;

export async function runCommand(commands: Commands, command: Command, node: string): Promise<void> {
  const line = `${commands[command] ?? 'false'} "$1"`;
  const { code, stdout, stderr } = await capture('sh', ['-c', line, 'sh', node], WITHIN_MS);
  if (code === 0) return;
  const said = (stderr || stdout).trim().split('\n').at(-1) || 'it says nothing';
  throw new UserError(`${command.toUpperCase()}=${commands[command]} ${node} did not end well: ${said}`);
}

/** The same, tried again where it does not end well. */
export async function runUntilDone(commands: Commands, command: Command, node: string): Promise<void> {
  const deadlineMs = performance.now() + DONE_WITHIN_MS;
  for (;;) {
    try {
      return await runCommand(commands, command, node);
    } catch (error) {
      if (performance.now() > deadlineMs) throw error;
    }
    await sleep(AGAIN_MS);
  }
}
