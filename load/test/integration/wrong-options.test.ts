import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { createDatabase } from '@lastseat/infra/servers';
import { describe, expect, inject, it } from 'vitest';

import { startLyingApi } from './lying-api.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const load = ['load/src/main.ts'];
const bench = ['load/src/bench/main.ts'];
const benchLock = ['services/locking/bench/main.ts'];
const lab = ['load/src/lab/main.ts'];
const consolePage = ['load/src/console/main.ts'];
const runs = ['load/src/runs/list/main.ts'];
const compare = ['load/src/runs/compare/main.ts'];
const challenge = ['load/src/challenge/main.ts'];
const drill = ['load/src/drills/main.ts'];
const soak = ['load/src/soak/main.ts'];
const pitfalls = ['load/src/pitfalls/main.ts'];
const swarm = ['load/src/swarm/main.ts'];
const stack = (command: string) => ['infra/stack/main.ts', command];
// Postgres is not asked before the API is.
const nowhere = ['--database-url=postgres://127.0.0.1:1/none'];

describe.concurrent('what is wrong is said at the start, in one line, with exit code 2:', () => {
  it.each<[what: string, argv: string[], env: NodeJS.ProcessEnv, line: RegExp]>([
    ['a misspelt variable of load', load, onMake('TICKET=5'), /^TICKET=5: .*did you mean TICKETS\?$/],
    ['a misspelt variable of up', stack('up'), onMake('REPLICA=5'), /did you mean REPLICAS\?$/],
    ['a misspelt variable of scale', stack('scale'), onMake('REPLICA=5'), /did you mean REPLICAS\?$/],
    ['a misspelt variable of ps', stack('ps'), onMake('PROT=1'), /did you mean PORT\?$/],
    ['a misspelt variable of logs', stack('logs'), onMake('FOLOW=0'), /did you mean FOLLOW\?$/],
    ['a misspelt variable of down', stack('down'), onMake('RUNTIM=native'), /did you mean RUNTIME\?$/],
    ['a misspelt variable of bench', bench, onMake('QUIK=1'), /did you mean QUICK\?$/],
    ['a misspelt variable of bench-lock', benchLock, onMake('WORKLAOD=1x1'), /did you mean WORKLOAD\?$/],
    ['a misspelt variable of lab', lab, onMake('WORKLOD=rush'), /did you mean WORKLOAD\?$/],
    ['a misspelt variable of console', consolePage, onMake('CONSOLE_PROT=1'), /did you mean CONSOLE_PORT\?$/],
    ['a misspelt variable of runs', runs, onMake('JSN=1'), /did you mean JSON\?$/],
    ['a workload that is none', lab, { WORKLOAD: 'strom' }, /^WORKLOAD=strom: did you mean storm\?$/],
    ['a report into no folder', lab, { JSON: '/none/x.json' }, /there is no folder \/none$/],
    ['a comparison of one run', compare, { A: 'latest' }, /^name two runs: make compare A=\.\.\. B=/],
    ['a challenge of nothing', challenge, {}, /^which file\? make challenge STRATEGY=/],
    ['a drill that is none', drill, { NAME: 'kill-holdr' }, /^NAME=kill-holdr: did you mean kill-holder\?$/],
    ['a misspelt variable of drill', drill, onMake('SEEDS=1'), /did you mean SEED\?$/],
    ['a misspelt variable of soak', soak, onMake('MINUTS=1'), /did you mean MINUTES\?$/],
    ['a soak of no time', soak, { MINUTES: '0' }, /^MINUTES=0: a whole number from 1 to 10080$/],
    ['a pitfall that is none', pitfalls, { ONLY: 'no-tll' }, /^ONLY=no-tll: did you mean no-ttl\?$/],
    ['a misspelt variable of test-swarm', swarm, onMake('HOST=x'), /did you mean HOSTS\?$/],
    ['a swarm that nobody names', swarm, { HOSTS: '' }, /^which swarm\? make test-swarm HOSTS=/],
    ['a swarm of two', swarm, { HOSTS: 'unix:///a unix:///b' }, /^HOSTS names 2 of at least 3 nodes: /],
    [
      'a swarm that nothing can strike',
      swarm,
      { HOSTS: 'a b c', KILL: 'true', UNPLUG: 'true' },
      /^BOOT= and PLUG= missing, which node-killed, leader-killed, cable-out need; .*NAME=scale,release,bad-release$/,
    ],
    ['a misspelt variable of audit', ['infra/stack/audit.ts'], onMake('FIXX=1'), /did you mean FIX\?$/],
    ['a misspelt variable of test', ['infra/command-line/main.ts'], onMake('AGRS=x'), /did you mean ARGS\?$/],
    ['a misspelt flag', [...load, '--ticket=5'], {}, /'--ticket': did you mean --tickets\?$/],
    ['a misspelt flag of up', [...stack('up'), '--replica=5'], {}, /did you mean --replicas\?$/],
    ['a misspelt command', stack('scal'), {}, /^scal: did you mean scale\?$/],
    ['a misspelt strategy', load, { STRATEGY: 'row-lok' }, /^STRATEGY=row-lok: did you mean row-lock\?$/],
    ['a size of nothing', stack('up'), { REPLICAS: '0' }, /^REPLICAS=0: a whole number from 1 to 32$/],
    ['a new size that is not said', stack('scale'), {}, /^how many\? make scale REPLICAS=5$/],
    [
      'a report into no folder',
      load,
      { JSON: '/none/x.json' },
      /^JSON=\/none\/x.json cannot be written: there/,
    ],
    ['a report into no folder', bench, { JSON: '/none/x.json' }, /there is no folder \/none$/],
    ['a report into no folder', benchLock, { JSON: '/none/x.json' }, /there is no folder \/none$/],
    ['a guard without its part', bench, { ONLY: 'row-lock', PARTS: 'rush' }, /^PARTS=rush measures nothing/],
    ['a part that is none', bench, { PARTS: 'sped' }, /^PARTS=sped: did you mean speed\?$/],
    ['a runtime that is none', bench, { RUNTIME: 'podman' }, /^RUNTIME=podman: must be native or docker$/],
    ['a lock that is none', benchLock, { ONLY: ',' }, /^ONLY=: one or several of/],
    ['an address that is none', [...load, '--url=localhost', ...nowhere], {}, /not an http address$/],
    ['an address of others', [...load, '--url=http://example.com', ...nowhere], {}, /is not this machine/],
    ['an address where nobody is', [...load, '--url=http://127.0.0.1:1', ...nowhere], {}, /does not answer/],
  ])('%s', async (_what, argv, env, line) => {
    const { code, stdout, stderr } = await node(argv, env);
    expect(stderr.trimEnd()).toMatch(line);
    expect(stderr.trimEnd()).not.toContain('\n');
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  });

  it('an event that is none', async () => {
    await using database = await createDatabase(inject('postgresUrl'), 'load');
    await node(['services/booking/src/migrate.ts'], { DATABASE_URL: database.url });
    await using api = await startLyingApi(database.url, 'none');
    const argv = [...load, `--url=${api.url}`, `--database-url=${database.url}`, '--event=77'];
    const { code, stderr } = await node(argv, {});
    expect(stderr).toMatch(/there is no such event; without EVENT each run makes its own\n$/);
    expect(code).toBe(2);
  });
});

it.runIf(existsSync('/sys/kernel'))('says in one line that a read-only folder keeps no stack', async () => {
  const up = [...stack('up'), '--runtime=native'];
  const { code, stdout, stderr } = await node(up, { LASTSEAT_HOME: '/sys/kernel/lastseat' });
  expect(stderr).toMatch(/^\/sys\/kernel\/lastseat\S* cannot be used: it is read-only [^\n]*\n$/);
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
});

it('hears of variables on the command line of make, and of no others', async () => {
  // As if everything were installed: npm is not what is tested here.
  const make = ['-o', 'node_modules/.package-lock.json', '-s'];
  const wrong = await run('make', [...make, 'load', 'TICKET=5', 'ARGS=--help'], {});
  expect(wrong.stderr).toMatch(/^TICKET=5: no target knows TICKET; did you mean TICKETS\?\n/);
  expect(wrong.code).not.toBe(0);
  const right = await run('make', [...make, 'load', 'REPLICAS=5', 'TICKETS=1', 'ARGS=--help'], {
    TICKET: '5',
  });
  expect(right).toMatchObject({ code: 0, stderr: '' });
});

it('says within seconds that there is no network, and in a few lines', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'lastseat-no-network-'));
  try {
    for (const name of ['Makefile', 'package.json', 'package-lock.json', '.npmrc']) {
      cpSync(join(root, name), join(folder, name));
    }
    const nobody = 'http://127.0.0.1:1/';
    const npm = { npm_config_registry: nobody, npm_config_cache: join(folder, 'cache') };
    const { code, stderr } = await run('make', ['-C', folder, '--no-print-directory', 'up'], npm);
    expect(stderr).toContain(`the packages could not be installed: is ${nobody} within reach?`);
    expect(stderr.split('\n').length).toBeLessThan(8);
    expect(code).not.toBe(0);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it('finds a wrong option of what comes after `up` before anything is started', async () => {
  const { code, stdout, stderr } = await run('make', ['up', 'load', 'TICKETS=abc'], {});
  expect(stderr).toContain('TICKETS=abc: a whole number from 1 to 1000000');
  expect(stdout + stderr).not.toMatch(/start|replica/);
  expect(code).not.toBe(0);
});

/** What a program finds in its environment after `make load TICKET=5`. */
function onMake(variable: string): NodeJS.ProcessEnv {
  const [name = '', value] = variable.split('=');
  return { MAKEFLAGS: ` -- ${variable}`, [name]: value };
}

function node(argv: readonly string[], env: NodeJS.ProcessEnv) {
  return run(process.execPath, argv, env);
}

function run(command: string, argv: readonly string[], env: NodeJS.ProcessEnv) {
  // Not the variables of the make that runs the tests.
  const none = { MAKEFLAGS: undefined, MFLAGS: undefined, MAKELEVEL: undefined };
  return new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    const base = { ...process.env, ...none, COMPOSE_PROJECT_NAME: 'lastseat-none' };
    const options = { cwd: root, env: { ...base, ...env } };
    execFile(command, argv, options, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr });
    });
  });
}
