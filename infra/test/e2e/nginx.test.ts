import { connect } from 'node:net';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { freePort } from '../../servers/index.ts';
import { startDeafReplica } from '../support/deaf-replica.ts';
import { nginxes, startNginx, type Nginx } from '../support/nginx.ts';
import { startReplica, type Answer } from '../support/replica.ts';

/** What nginx does by itself, with the project's own settings and replicas that misbehave on demand. */
describe.each(nginxes)('$name', (kind) => {
  const opened = new AsyncDisposableStack();
  const received: string[] = [];
  let nginx: Nginx;

  const answer: Answer = (request, response) => {
    received.push(`${request.method} ${request.url}`);
    if (request.url === '/die') request.socket.destroy();
    else if (request.url === '/own-502') response.writeHead(502).end('mine');
    else response.end(JSON.stringify(request.headers));
  };

  beforeAll(async () => {
    const replicas = await Promise.all([startReplica(answer), startReplica(answer)]);
    for (const { stop } of replicas) opened.defer(stop);
    // The third is gone: many requests come to it first.
    nginx = opened.use(await startNginx(kind, [...replicas.map(({ port }) => port), await freePort()]));
  });
  afterAll(() => opened.disposeAsync());

  test('hands requests on over kept connections, with an id', async () => {
    const headers = (await (await fetch(`${nginx.url}/a`)).json()) as Record<string, string>;
    expect(headers).not.toHaveProperty('connection');
    expect(headers['host']).toBe(new URL(nginx.url).host);
    expect(headers['x-request-id']).toMatch(/^[0-9a-f]{32}$/);
  });

  test.each([
    ['abc-1.2_3', 'abc-1.2_3'],
    ['a"b', expect.stringMatching(/^[0-9a-f]{32}$/)],
    ['a'.repeat(129), expect.stringMatching(/^[0-9a-f]{32}$/)],
  ])("takes the caller's request id %s only if it is harmless", async (given, handedOn) => {
    const response = await fetch(`${nginx.url}/a`, { headers: { 'x-request-id': given } });
    expect(await response.json()).toMatchObject({ 'x-request-id': handedOn });
  });

  test('a replica that is gone costs nobody a booking', async () => {
    received.length = 0;
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(nginx, 'POST', '/book')));
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200));
    expect(received).toHaveLength(20);
  });

  test('a booking that a replica took with it is unknown, and is not made again', async () => {
    received.length = 0;
    expect(await ask(nginx, 'POST', '/die')).toMatchObject({
      status: 504,
      type: 'application/problem+json',
      problem: { status: 504, code: 'unknown', instanceId: 'nginx' },
    });
    expect(received).toEqual(['POST /die']);
  });

  test("a replica's own answer passes through, whatever its status", async () => {
    const response = await fetch(`${nginx.url}/own-502`);
    expect([response.status, await response.text()]).toEqual([502, 'mine']);
  });

  test('a body of 10 MB is refused before a replica sees it', async () => {
    received.length = 0;
    const body = Buffer.alloc(10_000_000);
    expect(await ask(nginx, 'POST', '/book', body)).toMatchObject({
      status: 413,
      type: 'application/problem+json',
      problem: { code: 'body_too_large' },
    });
    expect(received).toEqual([]);
  });

  test.each([
    ['no HTTP at all', 'hello\r\n\r\n', 400, 'bad_request'],
    ['an endless address', `GET /${'a'.repeat(9_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, 400, 'bad_request'],
    [
      'an endless header',
      `GET / HTTP/1.1\r\nHost: x\r\nA: ${'a'.repeat(9_000)}\r\n\r\n`,
      431,
      'headers_too_large',
    ],
    ['TRACE', 'TRACE / HTTP/1.1\r\nHost: x\r\n\r\n', 405, 'method_not_allowed'],
  ])('%s is a clear refusal', async (_what, request, status, code) => {
    const answer = await exchange(nginx, request);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(answer).toContain('Content-Type: application/problem+json');
    expect(answer).toContain(`"code":"${code}"`);
  });

  test('without any replica nothing was booked, and it says when to come back', async () => {
    await using alone = await startNginx(kind, [await freePort(), await freePort()]);
    const response = await fetch(`${alone.url}/book`, { method: 'POST', body: '{}' });
    expect(response.headers.get('retry-after')).toBe('2');
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(await response.json()).toMatchObject({ status: 503, code: 'unavailable', instanceId: 'nginx' });
    expect((await fetch(`${alone.url}/nginx-health`)).status).toBe(200);
  });

  // A full queue of new connections is silent on Linux; elsewhere it may refuse.
  test.runIf(process.platform === 'linux')(
    'a try that was handed over is never taken for one that was not, however many came before it',
    async () => {
      await using deaf = await startDeafReplica();
      await using alone = await startNginx(kind, [deaf.port]);
      const answer = ask(alone, 'POST', '/book');
      await alone.says(/timed out.* while connecting to upstream/);
      deaf.listen();
      expect(await answer).toMatchObject({ status: 504, problem: { code: 'unknown' } });
      expect(await deaf.nextRequest()).toBe('POST /book HTTP/1.1');
    },
  );
});

async function ask({ url }: Nginx, method: string, path: string, body: Buffer = Buffer.from('{}')) {
  const response = await fetch(`${url}${path}`, { method, body });
  const text = await response.text();
  const type = response.headers.get('content-type');
  return {
    status: response.status,
    type,
    problem: type === 'application/problem+json' ? JSON.parse(text) : null,
  };
}

/** Sends bytes as they are and returns everything that comes back. */
async function exchange({ url }: Nginx, request: string): Promise<string> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  // Half closed, so that nginx ends the connection after its answer.
  socket.end(request);
  let answer = '';
  for await (const chunk of socket.setEncoding('utf8')) answer += String(chunk);
  return answer;
}
