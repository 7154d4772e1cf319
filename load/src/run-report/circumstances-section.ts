import { arrivalsInWords } from '../runs/arrivals.ts';
import type { LabRun } from '../runs/run.ts';
import { html, table, type Html } from './html.ts';

/** What ran, on what, and how to do it again. */
export function circumstancesSection(run: LabRun): Html {
  return html`<section aria-labelledby="circumstances">
    <h2 id="circumstances">What ran</h2>
    <p>The command that repeats it, from the root of the repository:</p>
    <pre tabindex="0"><code>${run.command}</code></pre>
    <button type="button" class="copy" hidden>Copy the command</button>
    <div class="facts">${table('Circumstances', ['', ''], facts(run))}</div>
    <p>Every number of it is in <a href="run.json">run.json</a>${histories(run)}.</p>
  </section>`;
}

export function facts(run: LabRun): string[][] {
  const { circumstances, settings, servers, limits, memoryLimitsMb = {}, runtime, endedAt } = run;
  const { machine, startedAt, commit, dirty } = circumstances;
  return [
    ['started', startedAt],
    ['ended', endedAt],
    ['commit', `${commit ?? 'unknown'}${dirty ? ', with changes' : ''}`],
    ['runs as', runtime === 'docker' ? 'containers' : 'processes'],
    ['machine', `${machine.cores} cores, ${machine.memoryGb} GB, ${machine.cpu}, ${machine.platform}`],
    ['versions', listOf({ node: machine.node, ...servers })],
    ['CPUs of each container', listOf(limits) || 'no limit'],
    ['memory of each container', listOf(memoryLimitsMb, ' MB') || 'no limit'],
    ['workload', settings.workload],
    ['load', arrivalsInWords(settings)],
    ...(settings.faults ? [['faults', settings.faults.join(', ')]] : []),
    ['slices', `${settings.slices} ${windowInWords(settings)}`],
    ['tickets', String(settings.tickets ?? 'as the workload has it')],
    [
      'buyers',
      String(
        settings.buyers ??
          (isTimed(settings) ? 'as many as the window has room for' : 'as the workload has it'),
      ),
    ],
  ];
}

function windowInWords(settings: LabRun['settings']): string {
  if (!isTimed(settings)) return 'of so many requests';
  return `of ${settings.windowMs} ms, after ${settings.warmUpMs} ms of warm-up`;
}

// Runs of before do not say, and most were.
function isTimed(settings: LabRun['settings']): boolean {
  return settings.isTimed !== false;
}

function listOf(values: Record<string, string | number>, unit = ''): string {
  return Object.entries(values)
    .map(([name, value]) => `${name} ${value}${unit}`)
    .join(', ');
}

function histories({ cells }: LabRun): Html {
  const files = [...new Set(cells.flatMap(({ slices }) => slices.flatMap(({ history }) => history ?? [])))];
  if (files.length === 0) return html``;
  return html`, every operation in
  ${files.map((file, index) => html`${index > 0 && ', '}<a href="${file}">${file}</a>`)}`;
}
