import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';

/**
 * Loaded before a replica: its clock is as far ahead of the machine's, or behind it, as a file of its name says, in
 * milliseconds. The file is read at the start and at each SIGUSR2. As with a clock that is really set, what only measures
 * how much time goes by (`performance.now()`, timers) goes on as it was.
 */
const { CLOCKS: folder = '', INSTANCE_ID: name = hostname() } = process.env;
const path = join(folder, name);
const MachineDate = Date;
let aheadMs = read();

globalThis.Date = new Proxy(MachineDate, {
  construct: (target, args, newTarget) =>
    Reflect.construct(target, args.length === 0 ? [MachineDate.now() + aheadMs] : args, newTarget) as Date,
  apply: () => new Date().toString(),
  get: (target, name, receiver) =>
    name === 'now' ? () => MachineDate.now() + aheadMs : (Reflect.get(target, name, receiver) as unknown),
});

process.on('SIGUSR2', () => {
  aheadMs = read();
  process.stdout.write(`${JSON.stringify({ msg: 'the clock was set', aheadMs })}\n`);
});

function read(): number {
  try {
    return Number(readFileSync(path, 'utf8'));
  } catch {
    return 0; // nobody has set it yet
  }
}
