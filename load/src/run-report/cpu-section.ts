import { fixed } from '@lastseat/lab-frame/table.ts';

import type { Part } from '../runs/run.ts';
import { cellInWords } from '../runs/words.ts';
import { NO_OP, PARTS, type CellFigures } from './figures.ts';
import { strategyName } from './heat-map-section.ts';
import { html, raw, table, type Html } from './html.ts';

/** Where the CPU went: bars of one scale, the longest is the busiest cell. */
export function cpuSection(cells: readonly CellFigures[], cores: number): Html {
  const known = cells.flatMap((cell) => (cell.cpu ? [{ ...cell, cpu: cell.cpu }] : []));
  if (known.length === 0) return html``;
  const total = ({ cpu }: (typeof known)[number]): number => PARTS.reduce((sum, part) => sum + cpu[part], 0);
  const most = Math.max(cores, ...known.map(total));
  const rows = known.map((cell) => {
    const name = `${strategyName(cell.strategy)}, ${cell.replicas} × ${cell.connections}`;
    const cores = PARTS.map((part) => fixed(cell.cpu[part], 2));
    return [html`${name}`, bar(cell.cpu, most)].concat(
      [...cores, fixed(total(cell), 2)].map((text) => html`${text}`),
    );
  });
  return html`<section aria-labelledby="cpu">
    <h2 id="cpu">Where the CPU went</h2>
    <p>Cores in use while it was measured, of ${cores}.</p>
    <p class="keys">${PARTS.map((part) => html`<span><i class="part-${part}"></i> ${part}</span>`)}</p>
    ${table('Cores in use, replicas × connections', ['', '', ...PARTS, 'all'], rows)}
  </section>`;
}

function bar(cpu: Record<Part, number>, most: number): Html {
  const label = PARTS.map((part) => `${part} ${fixed(cpu[part], 2)}`).join(', ');
  const pieces = PARTS.map((part) => {
    const style = raw(`style="width:${((100 * cpu[part]) / most).toFixed(2)}%"`);
    return html`<i class="part-${part}" ${style}></i>`;
  });
  return html`<span class="bar" role="img" aria-label="${label}">${pieces}</span>`;
}

export function cpuRows(cells: readonly CellFigures[]): string[][] {
  return cells.flatMap((cell) => {
    const { cpu, strategy } = cell;
    if (cpu === null || strategy === NO_OP) return [];
    return [[cellInWords(cell)].concat(PARTS.map((part) => fixed(cpu[part], 2)))];
  });
}
