import { count, thousands } from '@lastseat/lab-frame/words.ts';

import type { LabRun } from '../runs/run.ts';
import { verdictOfRun } from '../runs/words.ts';
import { checksOf, type CheckFigures } from './figures.ts';
import { html, type Html } from './html.ts';

export const SIGNS = { good: '✓', bad: '✗', open: '?' } as const;

/** First of all: can it be believed, and what says so? */
export function verdictSection(run: LabRun): Html {
  const { sign, sentence } = verdictOfRun(run);
  return html`<section aria-labelledby="verdict">
    <h2 id="verdict" class="verdict ${sign}"><span aria-hidden="true">${SIGNS[sign]}</span> ${sentence}</h2>
    <ul class="checks">
      ${checksOf(run).map(checkItem)}
    </ul>
  </section>`;
}

// More of them say no more; all are in run.json.
const MOST_DETAILS = 20;

function checkItem(check: CheckFigures): Html {
  const { sign, word, counts } = checkInWords(check);
  const { details } = check;
  const head = html`<span class="${sign}" aria-hidden="true">${SIGNS[sign]}</span> <b>${titleOf(check)}</b>
    <span class="${sign}">${word}</span> <small>${counts}</small>`;
  if (details.length === 0) return html`<li>${head}</li>`;
  const more = details.length - MOST_DETAILS;
  return html`<li>
    <details>
      <summary>${head}</summary>
      <ul>
        ${details.slice(0, MOST_DETAILS).map((detail) => html`<li>${detail}</li>`)}${
          more > 0 && html`<li>and ${thousands(more)} more in run.json</li>`
        }
      </ul>
    </details>
  </li>`;
}

export function titleOf({ check }: CheckFigures): string {
  return check.replaceAll(/[_-]/g, ' ');
}

export function checkInWords({ passed, failed, expected, notShown }: CheckFigures): {
  sign: keyof typeof SIGNS;
  word: 'passed' | 'failed' | 'failed as expected' | 'not shown';
  counts: string;
} {
  const total = passed + failed + notShown;
  const counts = [
    passed > 0 ? `${thousands(passed)} passed` : '',
    failed > expected ? `${thousands(failed - expected)} failed` : '',
    expected > 0 ? `${thousands(expected)} failed as expected` : '',
    notShown > 0 ? `${thousands(notShown)} not shown` : '',
  ].filter(Boolean);
  const text = `${counts.join(', ')} of ${count(total, 'slice')}`;
  if (failed > expected) return { sign: 'bad', word: 'failed', counts: text };
  if (passed > 0) return { sign: 'good', word: 'passed', counts: text };
  if (expected > 0) return { sign: 'good', word: 'failed as expected', counts: text };
  return { sign: 'open', word: 'not shown', counts: text };
}
