import { agree, count, examples, thousands } from '@lastseat/lab-frame/words.ts';

import type { Check } from './check.ts';
import type { Evidence } from './evidence.ts';

export const accountedAnswers = {
  name: 'accounted-answers',
  claim:
    'every request that was started was answered or is unknown, and every answer is a proper one that names its maker',
  findings: {
    ended_unknown: endedUnknown,
    unaccounted,
    received_more: receivedMore,
    unexpected_answer: unexpectedAnswer,
    instance_unnamed: instanceUnnamed,
    request_unnamed: requestUnnamed,
  },
} satisfies Check;

const UNKNOWN_ANSWER = /^(unknown|http_5\d\d)$/;
const PROPER_ANSWER = /^(booked|sold_out|all_held|busy|unavailable|unknown)$/;

function endedUnknown({ tally, terms }: Evidence): string | null {
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

function unaccounted({ tally, waves }: Evidence): string | null {
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

/**
 * Each replica numbers the requests that reach it, and tells the number. A number that no answer carries is a request
 * that this run did not send, or sent once and somebody on the way twice, whether or not it booked. A request before
 * the first answer or after the last of a replica is not seen.
 */
function receivedMore({ attempts }: Evidence): string | null {
  const counts = attempts.flatMap(({ answer }) => answer?.count ?? []);
  const received = [...Map.groupBy(counts, ({ counter }) => counter).values()].flatMap((ofReplica) => {
    const numbers = ofReplica.map(({ n }) => n);
    return numbers.reduce((a, b) => Math.max(a, b)) - numbers.reduce((a, b) => Math.min(a, b)) + 1;
  });
  // Those without a number have reached a replica, or not.
  const more = received.reduce((sum, n) => sum + n, 0) - attempts.length;
  if (counts.length === 0 || more <= 0) return null;
  return (
    `${count(more, 'booking request')} more than the ${thousands(attempts.length)} of this run reached the replicas: ` +
    'sent twice on the way, or by somebody else'
  );
}

function unexpectedAnswer({ tally, history }: Evidence): string | null {
  const hasHolds = history.some(({ operation }) => operation === 'hold');
  const improper = Object.entries(tally.answers).filter(
    ([code]) =>
      (!PROPER_ANSWER.test(code) && !UNKNOWN_ANSWER.test(code)) || (code === 'all_held' && !hasHolds),
  );
  if (improper.length === 0) return null;
  const total = improper.reduce((sum, [, times]) => sum + times, 0);
  const which = improper.map(([code, times]) => (times === 1 ? code : `${code} ${thousands(times)} times`));
  return `${count(total, 'answer')} that a buyer should never get${examples(which)}`;
}

function instanceUnnamed({ attempts }: Evidence): string | null {
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

/** The id is the only handle of an answer that does not say how a request ended. */
function requestUnnamed({ attempts }: Evidence): string | null {
  const unnamed = attempts.filter(
    ({ answer, hasManyIds = false }) =>
      answer && PROPER_ANSWER.test(answer.code) && answer.requestId === null && !hasManyIds,
  );
  if (unnamed.length === 0) return null;
  const whose = unnamed.map(({ customer, answer }) => `${customer}: a ${answer?.status}`);
  return `${count(unnamed.length, 'answer')} without an x-request-id to look it up by${examples(whose)}`;
}
