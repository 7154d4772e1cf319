// Runs in the page of a report. Draws the charts from the data in it with uPlot, which stands above; whatever is drawn here
// stands in a table, too.
const Chart = globalThis.uPlot;
const element = document.getElementById('data');
const data = JSON.parse(element.textContent);
const unique = (values) => [...new Set(values)];
const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3]];
const strategies = unique(data.runs.flatMap((run) => run.cells.map(({ strategy }) => strategy)));
const short = (value) =>
  value >= 1000 ? `${Number((value / 1000).toPrecision(3))}k` : String(Number(value.toPrecision(3)));

/** One line of a strategy: its colour, and a broken one for each further run. */
function lineOf(strategy, run) {
  const index = strategies.indexOf(strategy);
  const name = strategy === 'no-op' ? '(no-op route)' : strategy;
  return {
    label: run === 0 ? name : `${name} · ${data.runs[run].id}`,
    stroke: color(`--c${index % 8}`),
    width: 2,
    dash: run === 0 ? DASHES[index < 8 ? 0 : 1] : DASHES[1 + (run % 3)],
    points: { show: true, size: 6 },
    spanGaps: false,
    value: (_chart, value) => (value === null || value === undefined ? '-' : short(value)),
  };
}

function axis(values, label) {
  return {
    stroke: color('--text'),
    grid: { stroke: color('--line') },
    ticks: { stroke: color('--line') },
    values,
    label,
    size: 60,
  };
}

function draw(figure, x, lines, { xValues, xSplits, yLabel, isLog }) {
  figure.querySelector('.uplot')?.remove();
  if (lines.length === 0) return;
  const width = Math.max(240, figure.clientWidth);
  const options = {
    width,
    height: Math.round(Math.min(340, Math.max(220, width * 0.55))),
    scales: {
      x: { time: false },
      y: isLog ? { distr: 3 } : { range: (_chart, _min, max) => [0, (max ?? 1) * 1.08] },
    },
    axes: [
      { ...axis((_chart, splits) => splits.map(xValues)), size: 36, splits: () => xSplits },
      axis((_chart, splits) => splits.map((value) => (value === null ? '' : short(value))), yLabel),
    ],
    series: [
      { label: '', value: (_chart, value) => (value === null ? '' : xValues(value)) },
      ...lines.map(({ line }) => line),
    ],
  };
  const chart = new Chart(options, [x, ...lines.map(({ values }) => values)], figure);
  chart.root.querySelector('.u-legend')?.setAttribute('aria-hidden', 'true');
}

function drawScaling(figure) {
  const { pressure } = figure.dataset;
  const what = figure.dataset.chart === 'throughput' ? 'rate' : 'ofFewest';
  const cellsOf = (run) => run.cells.filter((cell) => cell.pressure === pressure);
  const counts = unique(data.runs.flatMap((run) => cellsOf(run).map(({ replicas }) => replicas))).sort(
    (a, b) => a - b,
  );
  const lines = data.runs.flatMap((run, index) =>
    unique(cellsOf(run).flatMap((cell) => (cell[what] === null ? [] : cell.strategy))).map((strategy) => ({
      line: lineOf(strategy, index),
      values: counts.map(
        (replicas) =>
          cellsOf(run).find((cell) => cell.strategy === strategy && cell.replicas === replicas)?.[what] ??
          null,
      ),
    })),
  );
  draw(
    figure,
    counts.map((_, index) => index),
    lines,
    {
      xValues: (index) => (Number.isInteger(index) ? `${counts[index] ?? ''}` : ''),
      xSplits: counts.map((_, index) => index),
      yLabel: what === 'rate' ? 'answers/s' : 'by the fewest',
    },
  );
}

const form = document.querySelector('form.choice');

function drawLatency(figure) {
  const { group, outcome } = Object.fromEntries(new FormData(form));
  const curves = data.runs.flatMap((run, index) =>
    run.latencies
      .filter((latency) => latency.group === group && latency.outcome === outcome)
      .map(({ strategy, curve }) => ({ strategy, curve, run: index })),
  );
  const x = unique(curves.flatMap(({ curve }) => curve.map(([nines]) => nines))).sort((a, b) => a - b);
  const lines = curves.map(({ strategy, run, curve }) => {
    const at = new Map(curve);
    return {
      line: { ...lineOf(strategy, run), points: { show: false }, spanGaps: true },
      values: x.map((nines) => at.get(nines) ?? null),
    };
  });
  const last = Math.floor(x.at(-1) ?? 0);
  draw(figure, x, lines, {
    xValues: (nines) => `${Number((100 * (1 - 10 ** -nines)).toFixed(Math.max(1, Math.ceil(nines) - 1)))} %`,
    xSplits: Array.from({ length: last + 1 }, (_, nines) => nines),
    yLabel: 'ms',
    isLog: true,
  });
}

function drawAll() {
  for (const figure of document.querySelectorAll('figure[data-chart]')) {
    if (figure.dataset.chart === 'latency') drawLatency(figure);
    else drawScaling(figure);
  }
}

if (form) {
  form.hidden = false;
  // The most replicas and connections are what a run is mostly about.
  form.elements.group.selectedIndex = form.elements.group.options.length - 1;
  form.addEventListener('change', drawAll);
  form.addEventListener('submit', (event) => event.preventDefault());
}
const copy = document.querySelector('.copy');
if (copy && navigator.clipboard) {
  copy.hidden = false;
  copy.addEventListener('click', () => {
    void navigator.clipboard.writeText(document.querySelector('pre code').textContent);
    copy.textContent = 'Copied';
  });
}
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawAll);
let width = innerWidth;
addEventListener('resize', () => {
  if (innerWidth === width) return;
  width = innerWidth;
  drawAll();
});
// All that is folded is wanted on paper.
addEventListener('beforeprint', () => {
  for (const details of document.querySelectorAll('details')) details.open = true;
});
drawAll();
