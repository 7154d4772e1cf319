import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** Clocks of replicas that can be set: only in runs that ask for them. */

/** The folder that has what a replica must load. */
export const PRELOADS = fileURLToPath(new URL('.', import.meta.url)).replace(/\/$/, '');
const PRELOAD = 'settable-clock.ts';

/** With this environment a process has the clock that a file of its name in this folder says. */
export function settableClock(
  folder: string,
  preloads = PRELOADS,
): { nodeOptions: string; env: Record<string, string> } {
  return { nodeOptions: `--import=${join(preloads, PRELOAD)}`, env: { CLOCKS: folder } };
}

interface ClockOwner {
  /** As it calls itself. */
  name: string;
  /** Delivers SIGUSR2. */
  signal(): Promise<void>;
  /** Hears each line that it says. */
  follow(onLine: (line: string) => void): Disposable & { ready: Promise<void> };
}

// Its event loop may stand still for a while on a busy machine.
const HEARD_WITHIN_MS = 8_000;
const POLL_MS = 10;

/** Returns when the replica has said that it goes by it. A later start of it does so too. */
export async function setClock(folder: string, owner: ClockOwner, aheadMs: number): Promise<void> {
  const heard = { isSet: false };
  using following = owner.follow((line) => {
    heard.isSet ||= line.includes(`"aheadMs":${aheadMs}}`);
  });
  await following.ready;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, owner.name), String(aheadMs));
  await owner.signal();
  const untilMs = performance.now() + HEARD_WITHIN_MS;
  while (!heard.isSet) {
    if (performance.now() > untilMs) throw new Error('it does not say that its clock was set');
    await sleep(POLL_MS);
  }
}
