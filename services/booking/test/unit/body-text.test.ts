import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import type { Problem } from '#src/contract.ts';
import { listen, type HttpServer } from '#src/http/server.ts';

import { createFakeApp } from '../support/fake-app.ts';
import { withoutBugs } from '../support/log.ts';

/** The bytes of a body, over a real socket: with their length told beforehand, and in chunks. */

const { app, requests } = createFakeApp();
let server: HttpServer;

beforeAll(async () => {
  server = await listen(app, { host: '127.0.0.1', port: 0, instanceId: 'unit-1', log: withoutBugs });
});

beforeEach(() => void requests.splice(0));

afterAll(() => server.drain({ delayMs: 0, graceMs: 1_000 }));

const BOM = [0xef, 0xbb, 0xbf];

function bytes(...parts: (string | number[])[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.concat(parts.map((part) => Buffer.from(part as string))));
}

function customerNamed(...name: (string | number[])[]): Uint8Array<ArrayBuffer> {
  return bytes('{"customer":"', ...name, '"}');
}

describe.each(['with a length', 'in chunks'])('a body %s', (framing) => {
  async function post(body: Uint8Array<ArrayBuffer>, contentType = 'application/json') {
    const isChunked = framing === 'in chunks';
    const response = await fetch(`http://127.0.0.1:${server.port}/book-with-lock/1`, {
      method: 'POST',
      headers: { 'content-type': contentType },
      body: isChunked ? new Blob([body]).stream() : body,
      ...(isChunked ? { duplex: 'half' } : {}),
    });
    return { status: response.status, body: (await response.json()) as Problem };
  }

  test.each([
    ['Latin-1', [0xe9]],
    ['half a surrogate pair', [0xed, 0xa0, 0x80]],
    ['a character that is cut off', [0xe2, 0x82]],
    ['an overlong slash', [0xc0, 0xaf]],
  ])('that is no UTF-8 (%s) is refused', async (_, name) => {
    const answer = await post(customerNamed('caf', name));
    expect(answer).toMatchObject({
      status: 400,
      body: { code: 'invalid_json', detail: expect.stringContaining('UTF-8') },
    });
    expect(requests).toEqual([]);
  });

  test('in UTF-8 arrives as it was sent', async () => {
    expect((await post(customerNamed('Zoë 🎟'))).status).toBe(201);
    expect(requests).toMatchObject([{ customer: 'Zoë 🎟' }]);
  });

  test('may begin with a byte order mark', async () => {
    expect((await post(bytes(BOM, '{"quantity":2}'))).status).toBe(201);
    expect(requests).toMatchObject([{ quantity: 2 }]);
  });

  test.each([
    'iso-8859-1',
    '"ISO-8859-1"',
    'utf-16',
    '""',
    'utf-8; charset=iso-8859-1',
    '"utf-8"; Charset="utf-16"',
  ])('with charset=%s is refused', async (charset) => {
    const answer = await post(bytes('{}'), `application/json; charset=${charset}`);
    expect(answer).toMatchObject({ status: 415, body: { detail: expect.stringContaining('UTF-8') } });
    expect(requests).toEqual([]);
  });

  test.each([
    'application/json',
    'application/json; charset=utf-8',
    'application/json;charset="UTF-8"',
    'Application/JSON ; version=1 ; CharSet=Utf-8',
  ])('of type %s is read', async (contentType) => {
    expect((await post(bytes('{"quantity":3}'), contentType)).status).toBe(201);
    expect(requests).toMatchObject([{ quantity: 3 }]);
  });
});
