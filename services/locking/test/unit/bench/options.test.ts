import { UsageError, VARIABLES } from '@lastseat/infra/command-line';
import { describe, expect, it } from 'vitest';

import { contenderKeys, readOptions, variables, workloadKeys } from '#bench/options.ts';

describe('the options', () => {
  it('leave nothing out, nine slices of each figure, unless told otherwise', () => {
    const options = readOptions([], {});
    expect(options).toMatchObject({ quick: false, repeats: 9, withCrowd: true, json: null });
    expect(options.contenders.map(({ key }) => key)).toEqual(contenderKeys);
    expect([...options.workloads.map(({ key }) => key), 'crowd']).toEqual(workloadKeys);
  });

  it('may be flags or variables, and flags win', () => {
    const env = { QUICK: '1', ONLY: 'redlock', REPEATS: '5', JSON: 'a.json', RETRY_DELAY_MS: '7' };
    const options = readOptions(['--only', 'simple,queue', '--json=b.json'], env);
    expect(options).toMatchObject({ quick: true, repeats: 5, json: 'b.json', retryDelayMs: 7 });
    expect(options.contenders.map(({ key }) => key)).toEqual(['queue', 'simple']);
  });

  it('measure once when it has to be quick', () => {
    expect(readOptions(['--quick'], {}).repeats).toBe(1);
    expect(readOptions(['--quick', '--repeats', '2'], {}).repeats).toBe(2);
  });

  it('may ask for workloads one by one', () => {
    const options = readOptions(['--workload', '1x1', '--workload', 'crowd'], {});
    expect(options.workloads.map(({ key }) => key)).toEqual(['1x1']);
    expect(options.withCrowd).toBe(true);
  });

  it('send the JSON report to stdout when no file is named', () => {
    expect(readOptions(['--json'], {}).json).toBe('-');
    expect(readOptions([], { JSON: '1' }).json).toBe('-');
    expect(readOptions([], { JSON: '' }).json).toBeNull();
  });

  it.each([
    [['--repeats', '0'], '--repeats 0: a whole number from 1 to 100'],
    [['--repeats', '2.5'], '--repeats 2.5: a whole number from 1 to 100'],
    [['--only', 'redlok'], '--only redlok: did you mean redlock?'],
    [['--only', 'zookeeper'], /^--only zookeeper: one or several of queue, /],
    [['--only', ','], /^--only : one or several of queue, /],
    [['--workload', '5x5'], /^--workload 5x5: one or several of 1x1, /],
    [['--qick'], "Unknown option '--qick': did you mean --quick?"],
    [['--speed'], /^Unknown option '--speed': the options are --quick /],
  ])('are refused in one line: %j', (argv, message) => {
    const wrong = () => readOptions(argv, {});
    expect(wrong).toThrow(UsageError);
    expect(wrong).toThrow(message);
    expect(wrong).toThrow(/^[^\n]*$/);
  });
});

it('reads no variable that may not stand on the command line of make', () => {
  expect(variables().filter((name) => !VARIABLES.includes(name))).toEqual([]);
});
