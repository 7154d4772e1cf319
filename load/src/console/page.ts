import { readFileSync } from 'node:fs';

import { HATCH, RACE_KEYS } from '../race/race-section.ts';
import { html, raw } from '../run-report/html.ts';
import { page } from '../run-report/page.ts';
import { GUARD_NAMES } from '../scenario.ts';
import { LIMITS } from './read-body.ts';
import type { ConsoleView } from './view.ts';

const CHOSEN = 'fenced-lock';

/** The page without its figures: console.js fills them in, as the server tells them. */
export function consolePage({ url, runtime }: Pick<ConsoleView, 'url' | 'runtime'>): string {
  // `with-lock` is another name of fenced-lock.
  const guards = GUARD_NAMES.filter((name) => name !== 'with-lock');
  return page({
    title: 'Lastseat · console',
    data: {},
    styles: [partOf('../race/race.css'), partOf('page/console.css')],
    served: ['/console.js'],
    body: html`<header>
        <p class="over">Lastseat · ${url} · ${runtime === 'native' ? 'as processes' : 'in Docker'}</p>
        <h1>Sell tickets, and break things meanwhile</h1>
        ${HATCH}
      </header>
      <form id="sell" class="console-form">
        <label
          >Strategy
          <select name="strategy">
            ${guards.map((name) => html`<option ${name === CHOSEN && raw('selected')}>${name}</option>`)}
          </select></label
        >
        ${field('Buyers', 'buyers', 40)} ${field('Tickets', 'tickets', 5)}
        ${field('Pause before the write, ms', 'raceWindowMs', 100)}
        <span class="buttons">
          <button type="submit" class="main">Sell</button>
          <button type="button" id="reset">Reset</button>
        </span>
      </form>
      <p id="notice" class="bad" role="alert"></p>
      <p id="lost" class="verdict bad" hidden>The console does not answer: is it still running?</p>
      <section aria-labelledby="verdict-title">
        <h2 id="verdict-title" class="unseen">Verdict</h2>
        <p id="verdict" class="verdict" role="status"><strong></strong> <span>Connecting …</span></p>
        <dl id="stock" class="figures">
          ${['asked', 'answered', 'sold, by rows', 'free, by counter', 'oversold', 'unknown'].map(
            (name) =>
              html`<div>
                <dt>${name}</dt>
                <dd data-figure="${name}">–</dd>
              </div>`,
          )}
        </dl>
        <details id="checks" hidden>
          <summary></summary>
          <ul class="checks"></ul>
        </details>
      </section>
      <section aria-labelledby="parts-title">
        <div class="title-row">
          <h2 id="parts-title">What runs</h2>
          <span class="buttons">
            <button type="button" id="less" aria-label="one replica less">− replica</button>
            <button type="button" id="more" aria-label="one replica more">+ replica</button>
          </span>
        </div>
        <ul id="replicas" class="parts" aria-label="Replicas"></ul>
        <ul id="servers" class="parts" aria-label="Servers"></ul>
      </section>
      <section aria-labelledby="lanes-title">
        <h2 id="lanes-title">Lanes</h2>
        ${RACE_KEYS}
        <p id="no-lanes">Press Sell: each booking becomes a line, with its wait, its read and its write.</p>
        <div
          id="live"
          class="race scroll"
          tabindex="0"
          role="region"
          aria-label="Lanes of the sale under way"
          hidden
        ></div>
        <div id="over"></div>
      </section>
      <section aria-labelledby="said-title">
        <h2 id="said-title">What was done</h2>
        <ol id="said" class="said" role="log" aria-label="What was done, the latest first"></ol>
        <p>
          <small
            ><a href="/report.json">The last sale as JSON</a>, as make load writes it; its operations:
            .lastseat/console/history.jsonl.</small
          >
        </p>
      </section>`,
  });
}

function field(label: string, name: 'buyers' | 'tickets' | 'raceWindowMs', value: number) {
  const { min, max } = LIMITS[name];
  return html`<label
    >${label} <input type="number" name="${name}" value="${value}" min="${min}" max="${max}" required
  /></label>`;
}

function partOf(name: string) {
  return raw(readFileSync(new URL(name, import.meta.url), 'utf8'));
}
