import type { Paint } from '@lastseat/lab-frame/paint.ts';
import { nothing, table, whole } from '@lastseat/lab-frame/table.ts';
import { agree, count } from '@lastseat/lab-frame/words.ts';

import { cellInWords, type Cell } from './cell.ts';
import type { Drill } from './drill.ts';

const PAINT = { exact: 'good', broke: 'bad', 'broke as it says': 'strong', 'not shown': 'strong' } as const;

/** One drill: a line for each guard, and below it what is wrong. */
export function drillTable({ name, what, holds }: Drill, cells: readonly Cell[], paint: Paint): string {
  const rows = cells.map((cell) => [
    cell.strategy,
    paint(PAINT[cell.verdict], cellInWords(cell)),
    whole(holds ? cell.held.struck : cell.strikes),
    whole(cell.requests.started),
    whole(cell.requests.refused),
    `${cell.requests.unknown} / ${cell.requests.settled}`,
    `${whole(cell.perSecond.before)} / ${whole(cell.perSecond.during)} / ${whole(cell.perSecond.after)}`,
    inSeconds(cell.withoutSaleMs),
    inSeconds(cell.firstSaleMs),
    inSeconds(cell.halfRateMs),
  ]);
  const header = [
    '',
    'verdict',
    'struck',
    'requests',
    'busy',
    'unknown / settled',
    'a second before / during / after',
    'without a sale',
    'first sale after',
    'half of before after',
  ];
  const [first = '', ...lines] = table(header, rows);
  return [
    `${paint('strong', name)} · ${what}`,
    paint('label', first),
    ...lines.map((line, index) => [line].concat(remarks(cells[index])).join('\n')),
  ].join('\n');
}

function remarks(cell: Cell | undefined): string[] {
  const failed = cell?.checks.find(({ verdict }) => verdict === 'failed');
  return [
    ...(failed ? [`    ${failed.check}: ${failed.detail}`] : []),
    ...(cell?.below.map((text) => `    below its floor ${text}`) ?? []),
  ];
}

function inSeconds(ms: number | null): string {
  return ms === null ? nothing : `${(ms / 1_000).toFixed(1)} s`;
}

/** Drills down, guards across. */
export function matrixOf(cells: readonly Cell[], paint: Paint): string {
  const strategies = [...new Set(cells.map(({ strategy }) => strategy))];
  const rows = [...Map.groupBy(cells, ({ drill }) => drill)].map(([drill, ofDrill]) => {
    const found = strategies.map((name) => ofDrill.find(({ strategy }) => strategy === name));
    return [drill].concat(found.map((cell) => inMatrix(cell, paint)));
  });
  return table(['', ...strategies], rows).join('\n');
}

function inMatrix(cell: Cell | undefined, paint: Paint): string {
  return cell === undefined ? nothing : paint(PAINT[cell.verdict], cellInWords(cell));
}

/** One sentence for whoever reads nothing else. */
export function conclusion(cells: readonly Cell[], paint: Paint): string {
  if (cells.length === 0) return `${paint('strong', 'NOT SHOWN')}  Nothing was played.`;
  const of = (verdict: Cell['verdict']): Cell[] => cells.filter((cell) => cell.verdict === verdict);
  const broke = of('broke');
  if (broke.length > 0) {
    const which = named(broke).join(', ');
    return `${paint('bad', 'BROKE')}  ${which}: ${agree(broke.length, 'it does', 'they do')} not hold what ${agree(broke.length, 'it promises', 'they promise')}.`;
  }
  const missing = named(of('not shown'));
  const slow = named(cells.filter(({ below }) => below.length > 0));
  const expected = of('broke as it says').length;
  const rest = [
    `${count(of('exact').length, 'cell')} exact`,
    expected > 0 ? `${expected} broken beyond what the guard promises` : '',
    missing.length > 0 ? `not shown: ${missing.join(', ')}` : '',
    slow.length > 0 ? `slower than aimed for: ${slow.join(', ')}` : '',
  ].filter(Boolean);
  const word = missing.length + slow.length > 0 ? paint('strong', 'NOT SHOWN') : paint('good', 'PASS');
  return `${word}  Every guard held what it promises: ${rest.join('; ')}.`;
}

function named(cells: readonly Cell[]): string[] {
  return cells.map(({ strategy, drill }) => `${strategy} in ${drill}`);
}
