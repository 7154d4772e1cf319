import { wrap } from '@lastseat/infra/command-line';
import { box, visibleLength } from '@lastseat/lab-frame/box.ts';
import { figureLines } from '@lastseat/lab-frame/figures/figure-lines.ts';
import type { Figure } from '@lastseat/lab-frame/figures/figure.ts';
import type { Paint } from '@lastseat/lab-frame/paint.ts';
import { count } from '@lastseat/lab-frame/words.ts';

import type { Measurements } from '../measurements.ts';
import { boundsTable, exactnessTable, messageTables, rushTable, sweepTables } from './other-tables.ts';
import type { Section } from './section.ts';
import { speedTables } from './speed-tables.ts';

/** Everything that a person wants to know, the figures last. */
export function report(
  measurements: Measurements,
  figures: readonly Figure[],
  paint: Paint,
  width: number,
): string {
  const sections = [
    ...speedTables(measurements.cells),
    ...boundsTable(measurements),
    ...messageTables(measurements.messages),
    ...rushTable(measurements.rushes),
    ...sweepTables(measurements.sweeps),
    ...sweepTables(measurements.comparisons),
    ...exactnessTable(measurements.exactness),
    ...voidList(measurements),
    ...figureList(figures, paint),
  ];
  // A frame grows with what it holds rather than break it.
  const inner = Math.max(width - 4, ...sections.flatMap(({ lines }) => lines.map(visibleLength)));
  return sections.map(({ title, lines }) => box(paint('strong', title), [lines], inner + 4)).join('\n\n');
}

function figureList(figures: readonly Figure[], paint: Paint): Section[] {
  if (figures.length === 0) return [];
  return [{ title: 'Figures to reach', lines: figureLines(figures, paint) }];
}

// Reasons are sentences; they are broken rather than let a frame grow to their length.
const REASON_WIDTH = 72;

/** What was measured and cannot be believed, each with the reason. */
function voidList(measurements: Measurements): Section[] {
  const reasons = reasonsOf(measurements);
  if (reasons.length === 0) return [];
  return [
    {
      title: 'Void: left out of everything above',
      lines: reasons.flatMap((text) => wrap(text, REASON_WIDTH)),
    },
  ];
}

export function reasonsOf({ cells, rushes, sweeps, exactness, comparisons }: Measurements): string[] {
  return [
    ...cells.flatMap((cell) =>
      tell(
        `${cell.guard}, ${count(cell.connections, 'connection')}, ${count(cell.events, 'event')}, repeat ${cell.repeat}`,
        cell.void,
      ),
    ),
    ...rushes.flatMap((rush) => tell(`rush, repeat ${rush.repeat}`, rush.void)),
    ...[...sweeps, ...comparisons].flatMap((step) =>
      tell(`${step.guard}, ${step.replicas} replicas, repeat ${step.repeat}`, step.void),
    ),
    ...exactness.flatMap((run) => tell(`exactness of ${run.guard}, run ${run.run}`, run.void)),
  ];
}

function tell(what: string, reason: string | null): string[] {
  return reason === null ? [] : [`${what}: ${reason}`];
}
