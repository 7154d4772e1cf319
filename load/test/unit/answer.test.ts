import { describe, expect, it } from 'vitest';

import { readAnswer } from '#src/answer.ts';

const headers = { 'X-Instance-Id': 'replica-1' };

describe('an answer', () => {
  it('is a booking if its status is 201', () => {
    const body = JSON.stringify({ bookingId: 'b', customer: 'c', instanceId: 'replica-1' });
    expect(readAnswer(201, body, headers, 5)).toMatchObject({
      code: 'booked',
      receivedAtMs: 5,
      instanceId: 'replica-1',
      instanceIdInBody: 'replica-1',
      booking: { bookingId: 'b' },
    });
  });

  it.each([
    [409, 'sold_out', 'sold_out'],
    [409, 'all_held', 'all_held'],
    [503, 'busy', 'busy'],
    [503, 'unavailable', 'unavailable'],
    [404, 'event_not_found', 'event_not_found'],
    [500, 'unknown', 'unknown'],
    [504, 'unknown', 'unknown'],
  ])('%i %s is the outcome %s', (status, code, outcome) => {
    expect(readAnswer(status, JSON.stringify({ code }), headers, 0).code).toBe(outcome);
  });

  it.each([
    [200, '{"code":"booked"}'],
    [409, '{"code":"booked"}'],
    [500, '{"code":"sold_out"}'],
    [500, '{"code":"internal"}'],
    [502, '<html>Bad Gateway</html>'],
    [503, ''],
    [400, 'null'],
  ])('%i %s is no outcome', (status, body) => {
    expect(readAnswer(status, body, headers, 0).code).toBe(`http_${status}`);
  });

  it('names its request, with hyphens or without', () => {
    const id = '0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9';
    for (const written of [id, id.replaceAll('-', ''), id.toUpperCase()]) {
      expect(readAnswer(504, '', { 'X-Request-Id': written }, 0).requestId).toBe(id);
    }
    expect(readAnswer(504, '', { 'X-Request-Id': 'mine' }, 0).requestId).toBeNull();
  });

  it('may be a 201 without a booking in it', () => {
    expect(readAnswer(201, '{', {}, 0)).toMatchObject({ code: 'booked', booking: null, instanceId: null });
  });

  it('says when to come back', () => {
    expect(readAnswer(503, '{"code":"busy"}', { 'Retry-After': '2' }, 0).retryAfterMs).toBe(2_000);
    expect(readAnswer(503, '{"code":"busy"}', { 'retry-after': 'soon' }, 0).retryAfterMs).toBeNull();
    expect(readAnswer(503, '{"code":"busy"}', {}, 0).retryAfterMs).toBeNull();
  });
});
