import { readInfo } from '@lastseat/lab-frame/redis-info.ts';
import { number, table } from '@lastseat/lab-frame/table.ts';
import { describe, expect, it } from 'vitest';

describe('a table', () => {
  it('sets names to the left and numbers to the right, and takes no colour for width', () => {
    expect(
      table(
        ['', 'n'],
        [
          ['\x1b[1mab\x1b[22m', '1'],
          ['c', '1,000'],
        ],
      ),
    ).toEqual(['         n', '\x1b[1mab\x1b[22m       1', 'c    1,000']);
  });

  it('lets a remark stand in place of numbers without making room for it', () => {
    const rows = [
      ['a', '1', '2'],
      ['b', 'a remark of some length'],
    ];
    expect(table(['', 'x', 'y'], rows)).toEqual(['    x   y', 'a   1   2', 'b   a remark of some length']);
  });

  it('shows three digits that matter', () => {
    expect([0.1234, 12.34, 123.4, 12_345].map(number)).toEqual(['0.12', '12.3', '123', '12,345']);
    expect(number(Number.NaN)).toBe('-');
  });
});

describe("Redis' INFO", () => {
  const info = '# CPU\r\nused_cpu_user:1.5\r\ncmdstat_publish:calls=12,usec=34\r\n';

  it('tells numbers, and parts of lines', () => {
    expect(readInfo(info, 'used_cpu_user')).toBe(1.5);
    expect(readInfo(info, 'cmdstat_publish', 'calls')).toBe(12);
  });

  it('has no line for what never happened', () => {
    expect(readInfo(info, 'cmdstat_get', 'calls')).toBe(0);
  });
});
