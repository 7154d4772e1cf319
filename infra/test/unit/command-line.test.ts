import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, describe, expect, it } from 'vitest';

import {
  nearest,
  parseFlags,
  refuseUnknownVariables,
  refuseUnwritable,
  UsageError,
  VARIABLES,
} from '../../command-line/index.ts';

describe("a variable on make's command line", () => {
  it.each([
    ['GNU make', 'ks --jobserver-auth=fifo:/tmp/x -j2 -- TICKETS=5 REPLICAS=3'],
    ['GNU make 3.81', ' --jobserver-fds=3,4 -j -- ARGS=--json\\ --help'],
    ['BSD make', ' -r .MAKE.LEVEL.ENV=MAKELEVEL ARGS=--json\\ --tickets=5 TICKETS=5'],
    ['no make', undefined],
  ])('is known if any target knows it: %s', (_make, MAKEFLAGS) => {
    expect(() => refuseUnknownVariables({ MAKEFLAGS })).not.toThrow();
  });

  it.each([
    [' -- TICKET=5', 'TICKET=5: no target knows TICKET; did you mean TICKETS?'],
    ['s -- TICKETS=5 REPLICA=3', 'REPLICA=3: no target knows REPLICA; did you mean REPLICAS?'],
    [' -r .MAKE.LEVEL.ENV=MAKELEVEL STRATGY:=a\\ b', 'no target knows STRATGY; did you mean STRATEGY?'],
    [' -- tickets=5', 'tickets=5: no target knows tickets; did you mean TICKETS?'],
    [' -- COLOUR_OF_THE_SKY=blue', 'make help lists the variables'],
  ])('is refused in one line that says what was meant: %s', (MAKEFLAGS, message) => {
    expect(() => refuseUnknownVariables({ MAKEFLAGS })).toThrow(UsageError);
    expect(() => refuseUnknownVariables({ MAKEFLAGS })).toThrow(message);
  });

  it('is no variable of the environment: those that nobody knows are somebody else’s', () => {
    expect(() => refuseUnknownVariables({ TICKET: '5', MAKEFLAGS: '' })).not.toThrow();
  });
});

describe('an unknown flag', () => {
  const options = { tickets: { type: 'string' }, help: { type: 'boolean' } } as const;

  it.each([
    [['--ticket', '5'], "Unknown option '--ticket': did you mean --tickets?"],
    [['--speed'], "Unknown option '--speed': the options are --tickets --help"],
    [['fast'], "Unexpected argument 'fast'"],
  ])('is refused in one line: %j', (args, message) => {
    expect(() => parseFlags({ args, options })).toThrow(message);
    expect(() => parseFlags({ args, options })).toThrow(/^[^\n]*$/);
  });
});

describe('a JSON report', () => {
  const folder = mkdtempSync(join(tmpdir(), 'lastseat-json-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  it.each([
    [join(folder, 'missing', 'report.json'), /there is no folder .*missing/],
    [folder, /it is a folder; name a file in it/],
  ])('that cannot be written is refused before anything runs: %s', (target, message) => {
    expect(() => refuseUnwritable(target)).toThrow(UsageError);
    expect(() => refuseUnwritable(target)).toThrow(message);
  });

  // As root no permission stands in the way, but a file system that takes no files does.
  it.runIf(existsSync('/sys/kernel'))('is refused in a read-only folder', () => {
    expect(() => refuseUnwritable('/sys/kernel/report.json')).toThrow(/choose another folder \(E\w+\)/);
  });

  it('leaves what is there as it is, and nothing where nothing was', () => {
    const old = join(folder, 'old.json');
    writeFileSync(old, '{}');
    refuseUnwritable(old);
    refuseUnwritable(join(folder, 'new.json'));
    refuseUnwritable('-');
    refuseUnwritable(null);
    expect([existsSync(old), existsSync(join(folder, 'new.json'))]).toEqual([true, false]);
  });
});

it('knows every variable that docker-compose.yml reads', () => {
  const compose = readFileSync(new URL('../../../docker-compose.yml', import.meta.url), 'utf8');
  const read = [...compose.matchAll(/\$\{([A-Z_]+)/g)].map(([, name = '']) => name);
  expect(read).toContain('REPLICAS');
  expect(read.filter((name) => !VARIABLES.includes(name))).toEqual([]);
});

it('means the nearest word, or none', () => {
  expect(nearest('TICKET', VARIABLES)).toBe('TICKETS');
  expect(nearest('optimstic', ['optimistic', 'row-lock'])).toBe('optimistic');
  expect(nearest('x', ['up', 'ps'])).toBeNull();
  expect(nearest('SPEED', VARIABLES)).toBeNull();
});
