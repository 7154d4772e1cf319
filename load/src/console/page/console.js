// Runs in the page of the console. It shows what the server tells, and asks it for actions; it decides nothing.
import { playable } from './race.js';

const byId = (id) => document.getElementById(id);
const parts = new Map();
let replicas = 0;

/** Texts are set only where they change, so that nothing is read out twice and no focus is lost. */
function setText(element, text) {
  if (element.textContent !== String(text)) element.textContent = text;
}

/** What cannot be done now keeps the focus that it has; a button that is disabled loses it. */
function setOff(button, isOff) {
  if (isOff) button.setAttribute('aria-disabled', 'true');
  else button.removeAttribute('aria-disabled');
}

const ignoreIfOff = (event) => {
  if (event.target.closest('[aria-disabled=true]') === null) return;
  event.preventDefault();
  event.stopPropagation();
};
document.addEventListener('click', ignoreIfOff, true);

function ask(path, body = {}) {
  setText(byId('notice'), '');
  void send(path, body);
}

async function send(path, body) {
  const response = await fetch(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  }).catch(() => null);
  if (response === null || response.ok) return;
  const { error } = await response.json();
  setText(byId('notice'), `✗ ${error}`);
}

const clock = (time) => new Date(time).toLocaleTimeString([], { hour12: false });

byId('sell').addEventListener('submit', (event) => {
  event.preventDefault();
  const { strategy, buyers, tickets, raceWindowMs } = event.target.elements;
  ask('/sell', {
    strategy: strategy.value,
    buyers: Number(buyers.value),
    tickets: Number(tickets.value),
    raceWindowMs: Number(raceWindowMs.value),
  });
});
byId('reset').addEventListener('click', () => ask('/reset'));
byId('more').addEventListener('click', () => ask('/scale', { replicas: replicas + 1 }));
byId('less').addEventListener('click', () => ask('/scale', { replicas: replicas - 1 }));

const STATES = { running: '● runs', paused: '╳ PAUSED', stopped: '✗ DOWN' };
const BUTTONS = { running: ['pause', 'kill'], paused: ['resume', 'kill'], stopped: ['start'] };
const SIGNS = { EXACT: '✓', OVERSOLD: '✗', FAILED: '✗', 'NOT SHOWN': '○' };
const STYLES = { EXACT: 'good', OVERSOLD: 'bad', FAILED: 'bad', 'NOT SHOWN': 'open' };

function showState({ sale, parts: known, busy, isScaling, figures, said }) {
  replicas = known.filter(({ kind }) => kind === 'replica').length;
  setOff(byId('less'), replicas <= 1 || isScaling);
  setOff(byId('more'), isScaling);
  for (const part of known) showPart(part, figures[part.name], busy.includes(part.name));
  for (const [name, { row }] of parts) {
    if (known.some((part) => part.name === name)) continue;
    row.remove();
    parts.delete(name);
  }
  for (const list of [byId('replicas'), byId('servers')]) {
    // In the order of the server, also where one has come in between.
    const rows = known.map(({ name }) => parts.get(name).row).filter((row) => row.parentElement === list);
    for (const [index, row] of rows.entries()) {
      if (list.children[index] !== row) list.insertBefore(row, list.children[index] ?? null);
    }
  }
  showSale(sale);
  byId('said').replaceChildren(
    ...said.map(({ at, text, isBad }) => {
      const line = document.createElement('li');
      line.className = isBad ? 'bad' : '';
      line.textContent = `${clock(at)} ${isBad ? '✗' : '·'} ${text}`;
      return line;
    }),
  );
}

function showPart(part, figures, isBusy) {
  const { name, state, kind } = part;
  const shown = parts.get(name) ?? addPart(part);
  const { row } = shown;
  const holds = state === 'running' ? figures?.holds : null;
  row.className = `${state}${holds ? ' holder' : ''}`;
  row.dataset.state = state;
  const token = holds?.token ? `, token …${String(holds.token).slice(-5)}` : '';
  const stateText = isBusy ? '… working' : holds ? `● holder${token}` : STATES[state];
  setText(row.querySelector('.state'), stateText);
  const numbers = figures
    ? {
        'in flight': figures.inFlight,
        booked: figures.booked,
        refused: figures.refused,
        ...(figures.busy > 0 && { busy: figures.busy }),
        ...(figures.unknown > 0 && { unknown: figures.unknown }),
        p99: figures.p99Ms === null ? '–' : `${figures.p99Ms} ms`,
      }
    : {};
  const list = row.querySelector('.numbers');
  const text = Object.entries(numbers).flat().join();
  if (list.dataset.text !== text) {
    list.dataset.text = text;
    list.replaceChildren(
      ...Object.entries(numbers).map(([what, number]) => {
        const item = document.createElement('span');
        const label = document.createElement('small');
        const value = document.createElement('b');
        label.textContent = `${what} `;
        value.textContent = number;
        item.append(label, value);
        return item;
      }),
    );
  }
  const wanted = [...BUTTONS[state], ...(kind === 'redis' && state === 'running' ? ['flush'] : [])];
  if (shown.buttons.join() !== wanted.join()) showButtons(shown, name, wanted);
  for (const button of row.querySelectorAll('button')) setOff(button, isBusy);
}

function addPart({ name, kind }) {
  const row = document.createElement('li');
  row.dataset.part = name;
  for (const what of ['name', 'state', 'numbers', 'buttons']) {
    const span = document.createElement('span');
    span.className = what;
    row.append(span);
  }
  row.firstChild.append(Object.assign(document.createElement('b'), { textContent: name }));
  const shown = { row, buttons: [] };
  parts.set(name, shown);
  byId(kind === 'replica' ? 'replicas' : 'servers').append(row);
  return shown;
}

/** The focus stays where it was: what was "pause" is then "resume". */
function showButtons(shown, name, wanted) {
  const place = shown.row.querySelector('.buttons');
  const focused = [...place.children].indexOf(document.activeElement);
  shown.buttons = wanted;
  place.replaceChildren(
    ...wanted.map((action) => {
      const button = document.createElement('button');
      button.type = 'button';
      button.textContent = action[0].toUpperCase() + action.slice(1);
      button.setAttribute('aria-label', `${action} ${name}`);
      button.addEventListener('click', () => ask(`/parts/${name}/${action}`));
      return button;
    }),
  );
  if (focused >= 0) (place.children[focused] ?? place.children[0])?.focus();
}

const PHASES = {
  preparing: () => 'Asking who is there …',
  selling: ({ strategy, event }) => `Selling event ${event} with ${strategy} …`,
  counting: ({ answered, asked }) =>
    answered < asked
      ? 'Counting in Postgres: first everything of unknown end must be over …'
      : 'Counting in Postgres, twice …',
};

function showSale(sale) {
  const submit = byId('sell').querySelector('button[type=submit]');
  const isOver = sale === null || sale.phase === 'done' || sale.phase === 'failed';
  setOff(submit, !isOver);
  setOff(byId('reset'), sale?.event == null);
  const verdict = byId('verdict');
  const word = sale?.verdict?.word;
  const style = word ? STYLES[word] : sale?.phase === 'failed' ? 'bad' : '';
  verdict.className = `verdict ${style}`;
  verdict.dataset.event = sale?.event ?? '';
  const [strong, rest] = verdictText(sale);
  setText(verdict.querySelector('strong'), strong);
  setText(verdict.querySelector('span'), rest);
  const rows = sale?.postgres?.rows;
  const figures = {
    asked: sale ? `${sale.asked} ${sale.asked > sale.buyers ? 'by' : 'of'} ${sale.buyers}` : '–',
    answered: sale?.answered ?? '–',
    'sold, by rows': sale ? `${rows ?? '?'} of ${sale.tickets}` : '–',
    'free, by counter': sale ? (sale.postgres?.available ?? '?') : '–',
    oversold: rows === undefined ? '–' : Math.max(0, rows - sale.tickets),
    unknown: sale ? unknownText(sale.unknown) : '–',
  };
  for (const [name, value] of Object.entries(figures)) {
    setText(document.querySelector(`[data-figure="${name}"]`), value);
  }
  document.querySelector('[data-figure=oversold]').className = rows > sale?.tickets ? 'bad' : '';
  showChecks(sale?.checks ?? []);
}

function unknownText({ count, booked }) {
  return count > 0 && booked !== null ? `${count}, ${booked} booked` : count;
}

/** The word that counts, and the rest. */
function verdictText(sale) {
  if (sale === null) return ['', 'Nothing sold yet: choose a strategy and press Sell.'];
  if (sale.error) return ['✗ No verdict', sale.error];
  if (!sale.verdict) return ['', PHASES[sale.phase]?.(sale) ?? ''];
  const { word, sentences } = sale.verdict;
  const [first, ...others] = sentences;
  const more = others.length > 0 ? ` And ${others.length} more: see the checks that failed.` : '';
  return [`${SIGNS[word]} ${word}`, first + more];
}

function showChecks(checks) {
  const box = byId('checks');
  box.hidden = checks.length === 0;
  const text = JSON.stringify(checks);
  if (box.dataset.text === text) return;
  box.dataset.text = text;
  const count = (wanted) => checks.filter(({ verdict }) => verdict === wanted).length;
  setText(
    box.querySelector('summary'),
    ['passed', 'failed', 'not shown'].map((word) => `${count(word)} ${word}`).join(' · '),
  );
  box.querySelector('ul').replaceChildren(
    ...checks.map(({ check, verdict, details, isExpected }) => {
      const line = document.createElement('li');
      const sign = { passed: '✓', failed: '✗', 'not shown': '○' }[verdict];
      line.className = { passed: 'good', failed: 'bad', 'not shown': 'open' }[verdict];
      const expected = isExpected ? ', as it must be without a guard' : '';
      line.textContent = `${sign} ${check}: ${verdict}${expected}${details.length > 0 ? `: ${details.join('; ')}` : ''}`;
      return line;
    }),
  );
}

function showLanes(lanes) {
  byId('no-lanes').hidden = lanes !== null;
  const isLive = lanes !== null && lanes.moments === null;
  byId('live').hidden = !isLive;
  byId('live').innerHTML = isLive ? lanes.html : '';
  byId('over').innerHTML = lanes === null || isLive ? '' : lanes.html;
  if (lanes?.moments) playable(byId('over').querySelector('[data-race]'), lanes.moments);
}

const changes = new EventSource('/changes');
changes.addEventListener('state', ({ data }) => showState(JSON.parse(data)));
changes.addEventListener('lanes', ({ data }) => showLanes(JSON.parse(data)));
changes.addEventListener('open', () => (byId('lost').hidden = true));
changes.addEventListener('error', () => (byId('lost').hidden = false));
