import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { describe, expect, it } from 'vitest';

/** Links in Markdown files lead somewhere, and the front page stays one that is read to its end. */

const root = fileURLToPath(new URL('../../..', import.meta.url));
const documents = globSync('**/*.md', {
  cwd: root,
  exclude: (path) => /(^|\/)(node_modules|\.lastseat)$/.test(path),
});

const MOST_WORDS = 900;
const MOST_PICTURES = 3;

describe('a document', () => {
  it.each(documents)('%s links to what is there', (path) => {
    const dead = linksOf(read(path)).filter((link) => !isThere(path, link));
    expect(dead).toEqual([]);
  });

  it('is missed where a link to it, or to a part of it, is wrong', () => {
    expect(isThere('README.md', 'infra/README.md#settings')).toBe(true);
    expect(isThere('README.md', 'infra/README.md#no-such-part')).toBe(false);
    expect(isThere('infra/README.md', 'no-such-file.md')).toBe(false);
    expect(linksOf('[a](b.md), `[c](d)`\n```\n[e](f)\n```\n![g\nh](i.png "j")')).toEqual(['b.md', 'i.png']);
  });
});

it('the front page is short', () => {
  const text = read('README.md');
  const words = text.split(/\s+/).filter((word) => /[\p{L}\d]/u.test(word));
  const pictures = text.match(/!\[|<img|```mermaid/g) ?? [];
  expect(words.length).toBeLessThanOrEqual(MOST_WORDS);
  expect(pictures.length).toBeLessThanOrEqual(MOST_PICTURES);
});

function read(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

/** Those within the repository; what stands in code is no link. */
function linksOf(text: string): string[] {
  const prose = text.replaceAll(/^```[\s\S]*?^```/gm, '').replaceAll(/`[^`\n]*`/g, '');
  return [...prose.matchAll(/\]\(([^)\s]+)[^)]*\)/g)]
    .map(([, link = '']) => link)
    .filter((link) => !/^[a-z]+:/.test(link));
}

function isThere(from: string, link: string): boolean {
  const [file = '', part] = link.split('#');
  const path = file === '' ? from : join(dirname(from), file);
  if (!existsSync(join(root, path))) return false;
  return part === undefined || !path.endsWith('.md') || anchorsOf(read(path)).includes(part);
}

/** As GitHub makes them of headings. */
function anchorsOf(text: string): string[] {
  const headings = text.replaceAll(/^```[\s\S]*?^```/gm, '').matchAll(/^#+ (.*)$/gm);
  return [...headings].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\d _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}
