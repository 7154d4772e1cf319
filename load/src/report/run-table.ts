import { wrap } from '@lastseat/infra/command-line';
import { box, padEnd } from '@lastseat/lab-frame/box.ts';
import type { Paint } from '@lastseat/lab-frame/paint.ts';
import { count, thousands } from '@lastseat/lab-frame/words.ts';

import { settledInWords } from '../history/settled.ts';
import type { Run } from '../run.ts';
import type { Crowd } from '../tally.ts';
import { styleOf, verdictOf, type Verdict } from './verdict.ts';

const LABEL_WIDTH = 13;

/** Everything about one run that a person wants to know, the verdict last. */
export function runTable(run: Run, title: string, paint: Paint, width: number): string {
  const inner = width - 4;
  const rows = Object.entries(facts(run)).flatMap(([label, text]) =>
    wrap(text, inner - LABEL_WIDTH).map((line, index) =>
      // Only the figure that the whole run is about stands out.
      [
        paint('label', padEnd(index === 0 ? label : '', LABEL_WIDTH)),
        label === 'oversold' ? paint('strong', line) : line,
      ].join(''),
    ),
  );
  const heading = `${title}${run.scenario.guard.title}: ${crowdInWords(run.scenario.crowd)}`;
  return box(paint('strong', heading), [rows, verdictLines(verdictOf(run), paint, inner)], width);
}

/** One line per run, for when there are many. */
export function runLine(run: Run, title: string, paint: Paint): string {
  const { tally, scenario } = run;
  const verdict = verdictOf(run);
  return [
    title,
    scenario.guard.title.padEnd(18),
    `${thousands(tally.tickets.confirmed).padStart(7)} sold of ${thousands(tally.tickets.capacity).padEnd(7)}`,
    `${latency(tally.latencyMs?.p99).padStart(9)} p99`,
    count(tally.instances.contended.length, 'instance').padEnd(12),
    paint(styleOf(verdict), verdict.word),
  ].join('  ');
}

export function crowdInWords({ buyers, tickets }: Crowd): string {
  return `${count(buyers, 'buyer')} for ${count(tickets, 'ticket')}`;
}

function facts({ scenario, path, tally, settled }: Run): Record<string, string> {
  const { requests, tickets, latencyMs, instances } = tally;
  return {
    requests: `POST ${path} · ${how(scenario.crowd)}`,
    bookings: `${thousands(tally.bookings)} in Postgres, for ${count(tickets.capacity, 'ticket')}`,
    oversold: thousands(tickets.oversold),
    refusals: refusals(tally),
    unanswered: `${thousands(requests.unanswered)} of ${count(requests.started, 'request')}`,
    ...(settled.unknown > 0 ? { unknown: settledInWords(settled) } : {}),
    latency: latencyMs ? `p50 ${latency(latencyMs.p50)} · p99 ${latency(latencyMs.p99)}` : 'no answers',
    instances: `${instances.contended.length} shared the contention · ${instances.won.length} won · ${instances.lost.length} lost`,
    answers:
      Object.entries(instances.requests)
        .map(([name, answers]) => `${name} ${thousands(answers)}`)
        .join(' · ') || 'none',
  };
}

function how({ buyers, connections, quantity, raceWindowMs }: Crowd): string {
  const parts = [
    connections === buyers ? 'all at once' : `${thousands(connections)} at a time`,
    quantity > 1 ? `${quantity} tickets each` : '',
    raceWindowMs > 0 ? `race window ${raceWindowMs} ms` : '',
  ];
  return parts.filter(Boolean).join(' · ');
}

function refusals({ answers, requests }: Run['tally']): string {
  const codes = Object.entries(answers).filter(([code]) => code !== 'booked');
  const list = codes.map(([code, times]) => `${thousands(times)} ${code}`).join(' · ') || 'none';
  return requests.retries > 0 ? `${list} (${count(requests.retries, 'request')} tried again)` : list;
}

function verdictLines(verdict: Verdict, paint: Paint, width: number): string[] {
  const indent = verdict.word.length + 2;
  return verdict.sentences.flatMap((sentence, which) =>
    wrap(sentence, width - indent).map((line, index) => {
      const word = which === 0 && index === 0 ? paint(styleOf(verdict), verdict.word) : '';
      return padEnd(word, indent) + line;
    }),
  );
}

function latency(ms: number | undefined): string {
  if (ms === undefined) return '-';
  return ms < 10 ? `${ms.toFixed(1)} ms` : `${thousands(Math.round(ms))} ms`;
}
