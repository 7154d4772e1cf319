import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, describe, expect, it } from 'vitest';

import {
  helpText,
  json,
  name,
  names,
  nearest,
  number,
  numbers,
  parseFlags,
  readTable,
  refuseUnknownVariables,
  refuseUnwritable,
  text,
  UsageError,
  VARIABLES,
  variablesOf,
  yes,
} from '../../command-line/index.ts';

describe("a variable on make's command line", () => {
  it.each([
    ['GNU make', 'ks --jobserver-auth=fifo:/tmp/x -j2 -- TICKETS=5 REPLICAS=3'],
    ['GNU make 3.81', ' --jobserver-fds=3,4 -j -- ARGS=--json\\ --help'],
    ['BSD make', ' -r .MAKE.LEVEL.ENV=MAKELEVEL ARGS=--json\\ --tickets=5 TICKETS=5'],
    ['no make', undefined],
    ['secrets of a swarm', ' -- POSTGRES_PASSWORD=p ADMIN_TOKEN=t'],
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

describe('a table of options', () => {
  const table = {
    buyers: number({ min: 1, max: 100, what: 'buyers' }),
    connections: numbers({ min: 1, max: 9, what: 'at a time' }),
    strategy: names(['row-lock', 'optimistic'], { what: 'how' }),
    runtime: name(['native', 'docker'], { what: 'on what' }),
    url: text('URL', { what: 'where', variable: 'LOAD_URL' }),
    quick: yes({ what: 'soon' }),
    'dry-run': yes({ what: 'nothing', variable: null }),
    json: json('all of it'),
  };
  const read = (argv: string[], env: NodeJS.ProcessEnv = {}) => readTable(table, argv, env);

  it('leaves what nobody said undefined', () => {
    expect(read([], { BUYERS: '', QUICK: '' })).toEqual({
      buyers: undefined,
      connections: undefined,
      strategy: undefined,
      runtime: undefined,
      url: undefined,
      quick: false,
      'dry-run': false,
      json: null,
      help: false,
    });
  });

  it('is read from variables, and from flags, which win', () => {
    const env = { BUYERS: '5', CONNECTIONS: '1, 2,1', STRATEGY: 'row-lock', QUICK: '1', JSON: '1' };
    const said = { buyers: 5, connections: [1, 2], strategy: ['row-lock'], quick: true, json: '-' };
    expect(read([], env)).toMatchObject(said);
    const flags = ['--buyers', '7', '--strategy', 'optimistic', '--strategy=row-lock', '--json=x.json'];
    const all = { ...said, buyers: 7, strategy: ['optimistic', 'row-lock'], json: 'x.json' };
    expect(read(flags, env)).toMatchObject(all);
  });

  it('takes an option by the name of its variable, and none where it has none', () => {
    expect(read([], { LOAD_URL: 'http://there', URL: 'elsewhere' }).url).toBe('http://there');
    expect(read([], { DRY_RUN: '1' })['dry-run']).toBe(false);
    expect(read(['--dry-run'])['dry-run']).toBe(true);
    expect(variablesOf(table)).toContain('LOAD_URL');
    expect(variablesOf(table)).not.toContain('DRY_RUN');
  });

  it.each<[string[], NodeJS.ProcessEnv, string]>([
    [['--buyers', '101'], {}, '--buyers 101: a whole number from 1 to 100'],
    [[], { BUYERS: 'x' }, 'BUYERS=x: a whole number from 1 to 100'],
    [[], { CONNECTIONS: '1,many' }, 'CONNECTIONS=many: a whole number from 1 to 9'],
    [[], { STRATEGY: 'row-lok' }, 'STRATEGY=row-lok: did you mean row-lock?'],
    [['--runtime', 'podman'], {}, '--runtime podman: must be native or docker'],
    [['--quik'], {}, "Unknown option '--quik': did you mean --quick?"],
    [[], { MAKEFLAGS: ' -- BUYER=5' }, 'BUYER=5: no target knows BUYER; did you mean BUYERS?'],
  ])('refuses %j %j in one line', (argv, env, message) => {
    expect(() => read(argv, env)).toThrow(UsageError);
    expect(() => read(argv, env)).toThrow(message);
  });

  it('is what the help says', () => {
    const examples = [['make it', 'now']] as const;
    const notes = `Faults:\n  long: ${'and on '.repeat(20)}it goes\nExit code: 0.`;
    const help = helpText({ summary: 'It.', examples, program: 'it.ts', table, notes });
    // What is under a heading stays under it.
    expect(help).toMatch(/^Faults:\n {2}long: and on .*\n {4}\S.*it goes\nExit code: 0\.$/m);
    // The machine's own Node may be too old for the sources.
    expect(help).toContain('(node_modules/.bin/node it.ts --flag)');
    expect(help).toMatch(/--buyers N +buyers; 1 to 100$/m);
    expect(help).toMatch(/--strategy NAMES +how: row-lock, optimistic$/m);
    expect(help).toMatch(/--url URL +where \(LOAD_URL\)$/m);
    expect(help).toMatch(/--json\[=FILE\] +all of it/m);
    expect(help).toMatch(/--help +this text$/m);
    for (const line of help.split('\n')) expect(line.length).toBeLessThanOrEqual(110);
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
  expect(nearest('WEATHER', VARIABLES)).toBeNull();
});
