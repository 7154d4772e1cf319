import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { followLog } from '../logs.ts';
import { clockFileOf } from './clock-file.ts';

// Its event loop may stand still for a while on a busy machine.
const HEARD_WITHIN_MS = 8_000;
const POLL_MS = 10;

/** Returns when the replica has said that it goes by it. A later start of it does so too. */
export async function setClock(
  dir: string,
  replica: { name: string; pid: number },
  aheadMs: number,
): Promise<void> {
  const said = { isSet: false };
  using _following = followLog(dir, replica.name, (line) => {
    said.isSet ||= line.includes(`"aheadMs":${aheadMs}}`);
  });
  const file = clockFileOf(dir, replica.name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, String(aheadMs));
  process.kill(replica.pid, 'SIGUSR2');
  const untilMs = performance.now() + HEARD_WITHIN_MS;
  while (!said.isSet) {
    if (performance.now() > untilMs) throw new Error('it does not say that its clock was set');
    await sleep(POLL_MS);
  }
}
