import { contenders } from '../tally.ts';
import { agree, count, examples, thousands } from '../words.ts';
import type { Evidence } from './evidence.ts';

/** Is every request accounted for, every answer a proper one, and was it a contention between replicas at all? */

export function endedUnknown({ tally, terms }: Evidence): string | null {
  const { unanswered, timedOut, unknown, started } = tally.requests;
  if (unknown <= terms.maxUnknown) return null;
  const cut = unanswered - timedOut;
  const how = [
    timedOut > 0 ? `${thousands(timedOut)} timed out` : '',
    cut > 0 ? `${thousands(cut)} ${agree(cut, 'was', 'were')} cut off` : '',
    ...Object.entries(tally.answers)
      .filter(([code]) => UNKNOWN_ANSWER.test(code))
      .map(([code, times]) => `${thousands(times)} ${agree(times, 'was', 'were')} answered with ${code}`),
  ].filter(Boolean);
  return `${thousands(unknown)} of ${count(started, 'request')} ended unknown: ${how.join(', ')}`;
}

export function unaccounted({ tally, waves }: Evidence): string | null {
  const sent = waves.reduce((sum, wave) => sum + wave.client.sent, 0);
  const answered = waves.reduce((sum, wave) => sum + wave.client.answered, 0);
  const { requests, buyers } = tally;
  const gaps = [
    requests.started === sent
      ? ''
      : `${thousands(requests.started)} requests noted but ${thousands(sent)} sent`,
    requests.answered + requests.stray === answered
      ? ''
      : `${count(requests.answered, 'answer')} noted but ${thousands(answered)} received`,
    requests.stray === 0 ? '' : `${count(requests.stray, 'answer')} that no request was waiting for`,
    buyers.neverAsked === 0
      ? ''
      : `${count(buyers.neverAsked, 'buyer')} never got to ask, as too many requests stayed unanswered`,
  ].filter(Boolean);
  return gaps.length === 0 ? null : `the books do not balance: ${gaps.join('; ')}`;
}

const UNKNOWN_ANSWER = /^(unknown|http_5\d\d)$/;
const PROPER_ANSWER = /^(booked|sold_out|busy|unavailable|unknown)$/;

export function unexpectedAnswer({ tally }: Evidence): string | null {
  const improper = Object.entries(tally.answers).filter(
    ([code]) => !PROPER_ANSWER.test(code) && !UNKNOWN_ANSWER.test(code),
  );
  if (improper.length === 0) return null;
  const total = improper.reduce((sum, [, times]) => sum + times, 0);
  const which = improper.map(([code, times]) => (times === 1 ? code : `${code} ${thousands(times)} times`));
  return `${count(total, 'answer')} that a buyer should never get${examples(which)}`;
}

export function instanceUnnamed({ attempts }: Evidence): string | null {
  const wrong = attempts.flatMap(({ customer, answer }) => {
    // What is no answer of the service (a 502 of nginx) is another check's business.
    if (!answer || !PROPER_ANSWER.test(answer.code)) return [];
    const { instanceId, instanceIdInBody } = answer;
    if (instanceId === null) return [`${customer}: no x-instance-id on a ${answer.status}`];
    if (instanceIdInBody === null || instanceIdInBody === instanceId) return [];
    return [`${customer}: ${instanceId} in the header, ${instanceIdInBody} in the body`];
  });
  if (wrong.length === 0) return null;
  return `${count(wrong.length, 'answer')} that do not say which instance gave them${examples(wrong)}`;
}

// nginx hands requests to the replicas as they are free, so a few may well meet the same one. Were it a fair coin
// between two, twenty in a row would fall on one side once in half a million runs.
const ENOUGH_TO_JUDGE = 20;

export function oneInstance({ attempts, terms, tally }: Evidence): string | null {
  const contending = contenders(attempts).length;
  if (!severalReplicas(terms) || contending < ENOUGH_TO_JUDGE) return null;
  if (tally.instances.contended.length >= 2) return null;
  return (
    `all ${count(contending, 'contender')} were answered by ${tally.instances.contended.length} of ` +
    `${terms.replicas} replicas${examples(tally.instances.contended)}: nothing was shown across processes`
  );
}

// One replica may win all that its buyers want and the other lose all, by nothing but their place in the queue. Not
// so where hardly anybody wins: then losers on one side mean that nearly everybody was sent there.
const SCARCE = 1 / 4;

export function losersOnOneInstance({ attempts, terms, tally }: Evidence): string | null {
  const contending = contenders(attempts);
  const won = contending.filter(({ answer }) => answer?.code === 'booked').length;
  const lost = contending.filter(({ answer }) => answer?.code === 'sold_out').length;
  if (!severalReplicas(terms) || lost < ENOUGH_TO_JUDGE || won > SCARCE * contending.length) return null;
  if (tally.instances.lost.length >= 2) return null;
  return `all ${count(lost, 'loser')} of the contention met the same replica${examples(tally.instances.lost)}`;
}

function severalReplicas(terms: Evidence['terms']): boolean {
  return terms.replicas !== null && terms.replicas >= 2;
}
