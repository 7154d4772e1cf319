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
    const asked = `${request.method} ${request.url}`;
    const isFirst = !received.includes(asked);
    received.push(asked);
    if (request.url === '/die') request.socket.destroy();
    else if (request.url === '/die-once' && isFirst) request.socket.destroy();
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

  test("a request's id is never the client's own: two requests never have the same", async () => {
    const ids = await Promise.all(
      Array.from({ length: 2 }, async () => {
        const response = await fetch(`${nginx.url}/a`, { headers: { 'x-request-id': 'mine' } });
        return ((await response.json()) as Record<string, string>)['x-request-id'];
      }),
    );
    expect(ids).toEqual([expect.stringMatching(/^[0-9a-f]{32}$/), expect.stringMatching(/^[0-9a-f]{32}$/)]);
    expect(ids[0]).not.toBe(ids[1]);
  });

  test('what a replica answers is left as it is', async () => {
    const { headers } = await fetch(`${nginx.url}/a`);
    const added = ['x-instance-id', 'x-request-id', 'cache-control', 'allow', 'retry-after'];
    expect(added.filter((name) => headers.has(name))).toEqual([]);
  });

  test.each(['GET', 'POST', 'PATCH', 'DELETE', 'PUT'])(
    'a replica that is gone costs nobody a %s',
    async (method) => {
      received.length = 0;
      const answers = await Promise.all(Array.from({ length: 20 }, () => ask(nginx, method, '/book')));
      expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200));
      expect(received).toHaveLength(20);
    },
  );

  test.each(['POST', 'PATCH', 'DELETE', 'PUT', 'OPTIONS'])(
    'a %s that a replica took with it is unknown, and is not made again',
    async (method) => {
      received.length = 0;
      expect(await ask(nginx, method, '/die')).toMatchObject({
        status: 504,
        problem: { code: 'unknown', detail: expect.stringContaining('look before you ask again') },
      });
      expect(received).toEqual([`${method} /die`]);
    },
  );

  test.each([
    ['POST', '/events/1/bookings', /\. GET \/requests\/([0-9a-f]{32}) tells/],
    ['POST', '/book-with-lock/1', /\. GET \/requests\/([0-9a-f]{32}) tells/],
    ['POST', '/book/no-lock/1', /\. GET \/requests\/([0-9a-f]{32}) tells/],
    ['POST', '/events', /\. GET \/events tells/],
    ['DELETE', '/bookings/1', /\. GET of the same address tells/],
    ['POST', '/holds/01a2-b/confirm', /\. GET \/bookings\/01a2-b tells/],
    ['PATCH', '/holds/01a2-b', /\. GET \/bookings\/01a2-b tells/],
    ['DELETE', '/holds/01a2-b', /\. GET \/bookings\/01a2-b tells/],
  ])('an unknown %s %s says where to look', async (method, path, where) => {
    await using replica = await startReplica(({ socket }) => socket.destroy());
    await using alone = await startNginx(kind, [replica.port]);
    const { problem, headers } = await ask(alone, method, path);
    const id = headers.get('x-request-id');
    expect(problem).toMatchObject({ requestId: id, detail: expect.stringMatching(where) });
    const named = where.exec(problem?.['detail'] ?? '')?.[1];
    if (named !== undefined) expect(named).toBe(id);
  });

  const keyed = { 'idempotency-key': 'order 1' };

  test.each([
    '/events/1/bookings',
    '/events/1/bookings?strategy=row-lock',
    '/events/1/holds',
    '/book-with-lock/1',
    '/book/row-lock/1',
  ])('a POST %s with a key that a replica took with it is asked of another one', async (path) => {
    const answers: Answer[] = [({ socket }) => socket.destroy(), (_, response) => response.end('{"made":1}')];
    let asked = 0;
    const inTurn: Answer = (request, response) => answers[asked++]?.(request, response);
    await using first = await startReplica(inTurn);
    await using second = await startReplica(inTurn);
    await using alone = await startNginx(kind, [first.port, second.port]);
    expect(await ask(alone, 'POST', path, undefined, keyed)).toMatchObject({ status: 200 });
    expect(asked).toBe(2);
  });

  test.each([
    ['POST', '/book/no-lock/1'],
    ['POST', '/book-no-lock/1'],
    ['POST', '/events'],
    ['POST', '/reset/1'],
    ['PATCH', '/events/1'],
    ['DELETE', '/events/1/bookings'],
  ])('a key makes no %s %s safe to repeat', async (method, path) => {
    let asked = 0;
    const dies: Answer = ({ socket }) => {
      asked += 1;
      socket.destroy();
    };
    await using first = await startReplica(dies);
    await using second = await startReplica(dies);
    await using alone = await startNginx(kind, [first.port, second.port]);
    expect(await ask(alone, method, path, undefined, keyed)).toMatchObject({
      status: 504,
      problem: { code: 'unknown' },
    });
    expect(asked).toBe(1);
  });

  test('a read that a replica took with it is asked of another one', async () => {
    received.length = 0;
    expect(await ask(nginx, 'GET', '/die-once')).toMatchObject({ status: 200 });
    expect(received).toEqual(['GET /die-once', 'GET /die-once']);
  });

  test('a read does not wait for a stopped replica as long as a booking does', async () => {
    let asked = 0;
    const stopsFirst: Answer = (_request, response) => {
      asked += 1;
      if (asked > 1) response.end('{}');
    };
    await using first = await startReplica(stopsFirst);
    await using second = await startReplica(stopsFirst);
    await using alone = await startNginx(kind, [first.port, second.port]);
    const startMs = performance.now();
    expect(await ask(alone, 'GET', '/events/1')).toMatchObject({ status: 200 });
    expect(performance.now() - startMs).toBeLessThan(9_000);
    expect(asked).toBe(2);
  });

  test('a read that nobody answers is said to have changed nothing', async () => {
    await using replica = await startReplica(() => {});
    await using alone = await startNginx(kind, [replica.port]);
    expect(await ask(alone, 'GET', '/events/1')).toMatchObject({
      status: 504,
      problem: { code: 'no_answer', detail: expect.stringContaining('changes nothing: ask again') },
    });
  });

  test('reads that are slow everywhere keep no replica from the bookings', async () => {
    await using first = await startReplica(booksOnly);
    await using second = await startReplica(booksOnly);
    await using alone = await startNginx(kind, [first.port, second.port]);
    await Promise.all(Array.from({ length: 20 }, () => ask(alone, 'GET', '/events/1')));
    expect((await ask(alone, 'POST', '/book/no-lock/1')).status).toBe(200);
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
    ['a host of nonsense', 'GET / HTTP/1.1\r\nHost: a/b\r\n\r\n', 400, 'bad_request'],
    ['an unknown coding', 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: x\r\n\r\n', 400, 'bad_request'],
    ['another version', 'GET / HTTP/3.0\r\nHost: x\r\n\r\n', 400, 'bad_request'],
    ['a large body', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 8000000\r\n\r\n', 413, 'body_too_large'],
  ])('%s is a clear refusal', async (_what, request, status, code) => {
    expectOwnRefusal(await exchange(nginx, request), status, code);
  });

  test.each(['GET', 'POST', 'PATCH', 'DELETE', 'PUT'])(
    'a body in chunks that is too large, or none, is a clear refusal of a %s',
    async (method) => {
      const request = `${method} / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n`;
      expectOwnRefusal(await exchange(nginx, `${request}20000\r\na`), 413, 'body_too_large');
      expectOwnRefusal(await exchange(nginx, `${request}no chunk\r\n`), 400, 'bad_request');
    },
  );

  test('a method that is never allowed is told those that are', async () => {
    const answer = await exchange(nginx, 'TRACE / HTTP/1.1\r\nHost: x\r\n\r\n');
    expect(answer).toContain('\r\nAllow: GET, HEAD, POST, PATCH, DELETE\r\n');
  });

  test('its own health is for reading, and takes no body', async () => {
    const well = await exchange(nginx, 'GET /nginx-health HTTP/1.1\r\nHost: x\r\n\r\n');
    expect(well).toMatch(/^HTTP\/1.1 200 .*\r\n\r\nok\n$/s);
    for (const header of ['x-instance-id: nginx', 'Cache-Control: no-store']) expect(well).toContain(header);

    const post = await exchange(nginx, 'POST /nginx-health HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n');
    expectOwnRefusal(post, 405, 'method_not_allowed');
    expect(post).toContain('\r\nAllow: GET, HEAD\r\n');
    for (const body of ['Content-Length: 8000000', 'Transfer-Encoding: chunked']) {
      const answer = await exchange(nginx, `GET /nginx-health HTTP/1.1\r\nHost: x\r\n${body}\r\n\r\n`);
      expectOwnRefusal(answer, 413, 'body_too_large');
    }
  });

  // nginx goes to a place in which nobody is before it goes to a replica that has something to do, and starts a request
  // that it may not repeat ten times at most.
  test.each(['POST', 'DELETE', 'PUT'])(
    'a %s finds the replica among many places that are empty',
    async (method) => {
      let asked = 0;
      await using replica = await startReplica((request, response) => {
        if (request.method === method) asked += 1;
        response.end('{}');
      });
      await using sparse = await startNginx(kind, [replica.port], { emptyPlaces: 20 });
      expect(await ask(sparse, method, '/bookings/1')).toMatchObject({ status: 200 });
      expect(asked).toBe(1);
    },
  );

  test('without any replica nothing was booked, and it says when to come back', async () => {
    await using alone = await startNginx(kind, [await freePort(), await freePort()]);
    for (const method of ['GET', 'POST', 'DELETE']) {
      const answer = await exchange(alone, `${method} /book HTTP/1.1\r\nHost: x\r\n\r\n`);
      expectOwnRefusal(answer, 503, 'unavailable');
      expect(answer).toContain('\r\nRetry-After: 2\r\n');
    }
    expect((await fetch(`${alone.url}/nginx-health`)).status).toBe(200);
  });

  test.each([
    ['POST /events/1/bookings', ''],
    ['POST /events/1/bookings', 'Idempotency-Key: order\r\n'],
    ['POST /book/row-lock/1', ''],
    ['PATCH /events/1', ''],
    ['DELETE /bookings/1', ''],
    ['GET /events/1', ''],
  ])('an address that comes too often is told when to come back: %s %s', async (line, header) => {
    await using replica = await startReplica((_, response) => response.end('{}'));
    await using limited = await startNginx(kind, [replica.port], { burst: 1 });
    const come = (from: string) =>
      exchange(
        limited,
        `${line} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n${header}X-Forwarded-For: ${from}\r\n\r\n`,
      );
    for (const from of ['203.0.113.1', '203.0.113.1', '203.0.113.2'])
      expect(await come(from)).toMatch(/^HTTP\/1.1 200 /);
    // What a client claims stands before what the gateway adds.
    for (const from of ['203.0.113.1', '203.0.113.3, 203.0.113.1']) {
      const refused = await come(from);
      expectOwnRefusal(refused, 429, 'too_many_requests');
      expect(refused).toContain('\r\nRetry-After: 1\r\n');
    }
    expect(await come('203.0.113.2'), 'another one').toMatch(/^HTTP\/1.1 200 /);
  });

  test("a probe's address is not counted, nor is any in lab mode", async () => {
    await using replica = await startReplica((_, response) => response.end('{}'));
    await using limited = await startNginx(kind, [replica.port], { burst: 1 });
    const healths = Array.from({ length: 4 }, () => fetch(`${limited.url}/nginx-health`));
    for (const { status } of await Promise.all(healths)) expect(status).toBe(200);
    for (const status of [200, 200, 429]) expect((await fetch(`${limited.url}/a`)).status).toBe(status);
    await using lab = await startNginx(kind, [replica.port]);
    const answers = await Promise.all(Array.from({ length: 400 }, () => fetch(`${lab.url}/a`)));
    for (const { status } of answers) expect(status).toBe(200);
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

/** A replica that leaves reads without an answer. */
const booksOnly: Answer = ({ method }, response) => {
  if (method === 'POST') response.end('{}');
};

/** What every refusal of nginx's own has in common. */
function expectOwnRefusal(answer: string, status: number, code: string) {
  expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  const [head = '', body = ''] = answer.split('\r\n\r\n');
  const id = /^x-request-id: ([0-9a-f]{32})$/m.exec(head)?.[1];
  const lines = [
    'Content-Type: application/problem+json',
    'x-instance-id: nginx',
    `x-request-id: ${id}`,
    'Cache-Control: no-store',
  ];
  expect(head.split('\r\n')).toEqual(expect.arrayContaining(lines));
  const type = `/docs/problems/${code}`;
  expect(JSON.parse(body)).toMatchObject({ type, status, code, instanceId: 'nginx', requestId: id });
}

async function ask(
  { url }: Nginx,
  method: string,
  path: string,
  body?: Buffer,
  sent: Record<string, string> = {},
) {
  const response = await fetch(`${url}${path}`, { method, headers: sent, ...(body && { body }) });
  const { status, headers } = response;
  const text = await response.text();
  const type = headers.get('content-type');
  const problem = type === 'application/problem+json' ? (JSON.parse(text) as Record<string, string>) : null;
  return { status, headers, type, problem };
}

/** Sends bytes as they are and returns everything that comes back. */
async function exchange({ url }: Nginx, request: string): Promise<string> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  // nginx ends the connection after an answer to what it cannot read; otherwise it is told to.
  socket.write(request.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
  let answer = '';
  socket.setEncoding('utf8').on('data', (text: string) => (answer += text));
  // Whoever waits for a body that never comes is reset after the answer.
  const ended = Promise.withResolvers<void>();
  socket.once('end', ended.resolve).once('error', ended.resolve);
  await ended.promise;
  socket.destroy();
  return answer;
}
