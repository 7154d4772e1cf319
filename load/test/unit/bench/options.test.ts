import { describe, expect, it } from 'vitest';

import { readOptions } from '#src/bench/options.ts';

describe('the options of the bench', () => {
  it('are nine slices of everything unless said otherwise', () => {
    const options = readOptions([], {});
    expect(options).toMatchObject({ only: null, connections: [8, 64, 512], exactness: 3, json: null });
    expect(options.pace.repeats).toBe(9);
    expect(options.parts).toHaveLength(5);
  });

  it('come from flags or from variables of make, and a flag wins', () => {
    const env = { REPEATS: '5', ONLY: 'row-lock', JSON: '1', WINDOW_MS: '300' };
    const options = readOptions(['--repeats', '2', '--connections', '64, 8'], env);
    expect(options).toMatchObject({ only: ['row-lock'], connections: [64, 8], json: '-' });
    expect(options.pace).toMatchObject({ repeats: 2, windowMs: 300 });
  });

  it('in short are one repeat, unless more are asked for', () => {
    expect(readOptions(['--quick'], {}).pace.repeats).toBe(1);
    expect(readOptions([], { QUICK: '1', REPEATS: '2' }).pace.repeats).toBe(2);
    expect(readOptions([], { QUICK: '0' }).pace.repeats).toBe(9);
  });

  it.each([
    [['--repeats', '0'], '--repeats 0: a whole number from 1 to 100'],
    [['--connections', '8,many'], '--connections many: a whole number from 1 to 4096'],
    [['--only', 'row-lock,paper'], '--only paper: one or several of no-lock, simple-lock'],
    [
      ['--parts', 'lunch'],
      '--parts lunch: one or several of speed, rush, exactness, messages, replicas, compare',
    ],
    [['--parts', 'compare', '--only', 'row-lock'], '--parts compare: --only has to name the two'],
    [['--speed'], "Unknown option '--speed': the options are --quick"],
  ])('refuse %j in one line', (argv, message) => {
    expect(() => readOptions(argv, {})).toThrow(message);
    expect(() => readOptions(argv, {})).not.toThrow('\n');
  });
});
