import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { playMistakes, type Mistake } from '@lastseat/infra/seeded-mistakes';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** A package of one function, with one test that looks at it and one that does not. */
let dir: string;

const files = {
  'package.json': '{ "type": "module" }',
  'src/add.ts': 'export const add = (a: number, b: number): number => a + b;\n',
  'test/sum.test.ts': `
    import { expect, inject, test } from 'vitest';
    import { add } from '../src/add.ts';
    test('adds', () => expect(add(1, inject('two'))).toBe(3));`,
  'test/blind.test.ts': `
    import { expect, test } from 'vitest';
    import { add } from '../src/add.ts';
    test('is there', () => expect(add).toBeTypeOf('function'));`,
};

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'package-'));
  for (const part of ['src', 'test']) await mkdir(join(dir, part));
  for (const [file, text] of Object.entries(files)) await writeFile(join(dir, file), text);
});

afterAll(() => rm(dir, { recursive: true, force: true }));

const wrongSign: Omit<Mistake, 'noticedBy'> = {
  name: 'a wrong sign',
  file: 'add.ts',
  right: 'a + b',
  wrong: 'a - b',
};

function play(mistakes: Mistake<'sum' | 'blind'>[]) {
  return playMistakes({
    root: pathToFileURL(`${dir}/`),
    testFiles: { sum: 'test/sum.test.ts', blind: 'test/blind.test.ts' },
    mistakes,
    provide: { two: 2 },
  });
}

test('a mistake is noticed by the test that fails, and by no other; a broken file is none that noticed', async () => {
  const { right, wrong } = await play([
    { ...wrongSign, noticedBy: 'sum' },
    { ...wrongSign, noticedBy: 'blind' },
    { ...wrongSign, wrong: 'a +', noticedBy: 'sum' },
  ]);
  expect(right).toEqual({ sum: 'passed', blind: 'passed' });
  expect(wrong.slice(0, 2)).toEqual(['failed', 'passed']);
  expect(['passed', 'failed']).not.toContain(wrong[2]);
});

test.each([
  { right: 'a * b', places: 0 },
  { right: 'number', places: 3 },
])('a place that is there $places times ends it all: the list is out of date', async ({ right, places }) => {
  await expect(play([{ ...wrongSign, right, noticedBy: 'sum' }])).rejects.toThrow(`${places} places with`);
});

test('of several that are out of date each is named', async () => {
  const inPlace = { ...wrongSign, noticedBy: 'sum' } as const;
  const outdated = [
    { ...inPlace, name: 'first', right: 'first' },
    inPlace,
    { ...inPlace, name: 'second', right: 'second' },
  ];
  await expect(play(outdated)).rejects.toThrow(
    '"first": add.ts has 0 places with: first\n"second": add.ts has 0 places with: second',
  );
});
