import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

import { UsageError } from '@lastseat/infra/command-line';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { LabRun } from '#src/runs/run.ts';
import { createRunFolder, findRun, listRuns, writeRun } from '#src/runs/store.ts';

const at = (time: string): Date => new Date(`2026-11-28T${time}Z`);

describe('the store of runs', () => {
  let runs = '';
  beforeEach(() => {
    runs = mkdtempSync(join(tmpdir(), 'lastseat-runs-'));
  });
  afterEach(() => rmSync(runs, { recursive: true }));

  const store = (name: string, time: string): string => {
    const folder = createRunFolder(runs, name, at(time));
    writeRun(folder, { format: 'lastseat-run/1', name } as LabRun);
    return basename(folder);
  };

  it('gives each run a folder of its own, also two of the same second', () => {
    const names = [store('lab', '10:00:00'), store('lab', '10:00:00'), store('storm', '09:00:00')];
    expect(names).toEqual([
      '2026-11-28T10-00-00Z-lab',
      '2026-11-28T10-00-00Z-lab-2',
      '2026-11-28T09-00-00Z-storm',
    ]);
    expect(listRuns(runs)).toEqual([names[2], names[0], names[1]]);
  });

  it('points to the run that was written last, and replaces what a run has written before', () => {
    const first = store('lab', '10:00:00');
    const second = store('lab', '11:00:00');
    expect(readlinkSync(join(runs, 'latest'))).toBe(second);
    writeRun(join(runs, first), { format: 'lastseat-run/1', name: 'again' } as LabRun);
    expect(readlinkSync(join(runs, 'latest'))).toBe(first);
    expect(findRun(runs, 'A=latest', 'latest').run.name).toBe('again');
    expect(existsSync(join(runs, first, 'run.json.part'))).toBe(false);
    expect(readFileSync(join(runs, first, 'run.json'), 'utf8')).toMatch(/\n$/);
  });

  it('finds a run by its name, or by a beginning or an end that no other one has', () => {
    const morning = store('lab', '10:00:00');
    const storm = store('storm', '12:00:00');
    expect(basename(findRun(runs, `A=${morning}`, morning).folder)).toBe(morning);
    expect(basename(findRun(runs, 'A=storm', 'storm').folder)).toBe(storm);
    expect(basename(findRun(runs, 'A=2026-11-28T10', '2026-11-28T10').folder)).toBe(morning);
    expect(() => findRun(runs, 'A=2026', '2026')).toThrow('A=2026: 2 runs are called so');
  });

  it('says in one line what it has not', () => {
    expect(() => findRun(runs, 'A=x', 'x')).toThrow('A=x: there is no run yet: make lab');
    store('lab', '10:00:00');
    expect(() => findRun(runs, 'A=x', 'x')).toThrow(UsageError);
    expect(() => findRun(runs, 'A=x', '2026-11-28T10-00-01Z-lab')).toThrow(
      'A=x: there is no such run; did you mean 2026-11-28T10-00-00Z-lab?',
    );
  });

  it('takes neither a folder without a run nor one of another version', () => {
    mkdirSync(join(runs, '2026-11-28T10-00-00Z-killed'));
    expect(listRuns(runs)).toEqual([]);
    const old = createRunFolder(runs, 'old', at('08:00:00'));
    writeFileSync(join(old, 'run.json'), '{"format":"lastseat-run/0"}');
    expect(() => findRun(runs, 'A=old', 'old')).toThrow('written by another version (lastseat-run/0)');
  });
});
