import { nothing, number, whole } from '@lastseat/lab-frame/table.ts';
import { count } from '@lastseat/lab-frame/words.ts';

import type { LabRun } from '../runs/run.ts';
import { byPressure, loadInWords, pressureInWords, verdictOfRun } from '../runs/words.ts';
import { facts } from './circumstances-section.ts';
import { cpuRows } from './cpu-section.ts';
import { checksOf, figuresOf, NO_OP, PARTS, unique, type CellFigures } from './figures.ts';
import { GENERATOR_HEADER, generatorRows, harnessInWords } from './generator-section.ts';
import { BESIDE_A_FAULT, intervalInWords, shareInWords, strategyName } from './heat-map-section.ts';
import { latenciesOf } from './latency.ts';
import { ROUND_TRIPS_HEADER, roundTripRows } from './round-trips-section.ts';
import { checkInWords, SIGNS, titleOf } from './verdict-section.ts';

/** The same for a pull request: what can be said in tables. */
export function reportMarkdown(run: LabRun): string {
  const cells = figuresOf(run);
  const { sign, sentence } = verdictOfRun(run);
  const cpu = cpuRows(cells);
  const trips = roundTripRows(run);
  const latencies = latenciesOf(run);
  return [
    `# ${run.name}: ${run.settings.workload}`,
    `**${SIGNS[sign]} ${sentence}**`,
    list(
      checksOf(run).map((check) => {
        const { sign, word, counts } = checkInWords(check);
        return `${SIGNS[sign]} ${titleOf(check)}: ${word} (${counts})`;
      }),
    ),
    ...byPressure(cells).flatMap((cells) => [
      `## Answers a second, ${pressureInWords(cells[0])}`,
      cells[0].fault === undefined ? '' : BESIDE_A_FAULT,
      throughput(cells),
    ]),
    ...(latencies.length === 0
      ? []
      : [
          '## Latency in milliseconds',
          table(
            ['', 'cell', 'answer', 'p50', 'p99', 'p99.9'],
            latencies.map((latency) => [
              strategyName(latency.strategy),
              loadInWords(latency),
              latency.outcome,
              number(latency.p50),
              number(latency.p99),
              number(latency.p999),
            ]),
          ),
        ]),
    ...(cpu.length === 0 ? [] : ['## Cores in use', table(['', ...PARTS], cpu)]),
    '## The load generator',
    harnessInWords(run),
    table(GENERATOR_HEADER, generatorRows(run.cells)),
    ...(trips.length === 0 ? [] : ['## For one booking', table(ROUND_TRIPS_HEADER, trips)]),
    '## What ran',
    `\`\`\`console\n$ ${run.command}\n\`\`\``,
    table(['', ''], facts(run)),
    '',
  ]
    .filter((part, index, all) => part !== '' || index === all.length - 1)
    .join('\n\n');
}

function throughput(cells: readonly CellFigures[]): string {
  const replicas = unique(cells.map((cell) => cell.replicas)).toSorted((a, b) => a - b);
  const strategies = unique(cells.map(({ strategy }) => strategy));
  const rows = strategies.map((strategy) =>
    [strategyName(strategy)].concat(
      replicas.map((number) => {
        const cell = cells.find((cell) => cell.strategy === strategy && cell.replicas === number);
        if (!cell) return nothing;
        if (cell.rate === null) return `*${cell.broken}*`;
        const ofCeiling = strategy === NO_OP ? '' : `, ${shareInWords(cell.ofCeiling)} of the no-op route`;
        const ofUndisturbed = `, ${shareInWords(cell.ofUndisturbed)} of undisturbed`;
        const share = cell.fault === undefined ? ofCeiling : ofUndisturbed;
        return `${whole(cell.rate)} (${intervalInWords(cell)}${share})`;
      }),
    ),
  );
  return table(['', ...replicas.map((number) => count(number, 'replica'))], rows);
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n');
}

function line(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', String.raw`\|`)).join(' | ')} |`;
}

function list(items: readonly string[]): string {
  return items.map((item) => `- ${item}`).join('\n');
}
