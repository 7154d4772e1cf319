import { Writable } from 'node:stream';

import { inWords, showProgress, showSteps, timeLeftMs } from '@lastseat/lab-frame/progress.ts';
import { expect, it } from 'vitest';

const steps = Array.from({ length: 10 }, (_, index) => ({ what: `step ${index + 1}`, expectedMs: 1_000 }));

it('stretches the time that is left by what the steps so far have taken', () => {
  expect(timeLeftMs(steps, 0, 0)).toBe(10_000);
  expect(timeLeftMs(steps, 5, 10_000)).toBe(10_000);
  expect(inWords(45_000)).toBe('45 s');
  expect(inWords(400_000)).toBe('7 min');
});

it('says where it is: a line that is cleared at the end on a terminal, a plain line in a log', () => {
  const terminal = stream({ isTTY: true, columns: 30 });
  {
    using progress = showSteps(steps, terminal.stream);
    progress.begin(steps[0]!);
  }
  expect(terminal.said()).toBe('\r\x1b[K1 of 10 · step 1 · 10 s left'.slice(0, 29 + 4) + '\r\x1b[K');

  const log = stream({ isTTY: false });
  {
    using progress = showSteps(steps, log.stream);
    // The second one comes too soon for a log.
    for (const step of steps.slice(0, 2)) progress.begin(step);
  }
  expect(log.said()).toBe('1 of 10 · step 1 · 10 s left\n');
});

it('says nothing of what is over at once', () => {
  const terminal = stream({ isTTY: true, columns: 80 });
  {
    using progress = showProgress(() => 'busy', terminal.stream, { quietMs: 60_000 });
    progress.show();
  }
  expect(terminal.said()).toBe('');
});

function stream(kind: { isTTY: boolean; columns?: number }) {
  let text = '';
  const sink = new Writable({
    write(chunk, _encoding, done) {
      text += String(chunk);
      done();
    },
  });
  return { stream: Object.assign(sink, kind) as unknown as NodeJS.WriteStream, said: () => text };
}
