import { spawn } from 'node:child_process';

import { expect, test } from 'vitest';

const runProgram = JSON.stringify(new URL('../../command-line/index.ts', import.meta.url).href);

/** Runs it and reads one piece of what it prints. @returns how it ends, and all of its stderr */
function readABit(body: string): Promise<{ code: number | null; stderr: string }> {
  const program = `
    import { setImmediate as turn } from 'node:timers/promises';
    const { runProgram } = await import(${runProgram});
    await runProgram(async () => { ${body} });`;
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['--input-type=module', '--eval', program]);
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.stdout.once('data', () => child.stdout.destroy());
    child.once('close', (code) => resolve({ code, stderr }));
  });
}

test('a program that can be interrupted is, when nobody reads on', async () => {
  const body = `
    let isInterrupted = false;
    process.once('SIGTERM', () => (isInterrupted = true));
    for (let line = 0; !isInterrupted; line += 1) {
      console.log(line);
      await turn();
    }
    return 130;`;
  expect(await readABit(body)).toEqual({ code: 130, stderr: '' });
});

test('any other goes on to its end without a word', async () => {
  const body = `
    let isLost = false;
    process.stdout.once('error', () => (isLost = true));
    for (let line = 0; !isLost; line += 1) {
      console.log(line);
      await turn();
    }
    console.log('nobody reads this');
    await turn();
    return 3;`;
  expect(await readABit(body)).toEqual({ code: 3, stderr: '' });
});
