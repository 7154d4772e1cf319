import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

import { UsageError, UserError } from '@lastseat/infra/command-line';

import { raceLanes, raceSection } from '../race/race-section.ts';
import { momentsOf } from '../race/race.ts';
import { SERVED } from '../run-report/page.ts';
import type { Control } from './control.ts';
import { consolePage } from './page.ts';
import { readReplicas, readWishes } from './read-body.ts';
import { reasonToRefuse } from './refuse-strangers.ts';
import { ACTIONS } from './strikes.ts';

export interface ConsoleServer extends AsyncDisposable {
  url: string;
}

/** Serves the page of the console on loopback, tells it what happens, and does what it asks for. */
export async function serveConsole(control: Control, port: number): Promise<ConsoleServer> {
  const server = createServer((request, response) => {
    handle(control, port, request, response).catch((error: unknown) => {
      if (response.headersSent) response.end();
      else sendJson(response, statusOf(error), { error: (error as Error).message });
    });
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening').catch((cause: unknown) => {
    throw refusal(cause as NodeJS.ErrnoException, port);
  });
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** What the cluster cannot do now is a conflict; what is no error of a user's is one of ours. */
function statusOf(error: unknown): number {
  if (error instanceof UsageError) return 400;
  return error instanceof UserError ? 409 : 500;
}

function refusal(cause: NodeJS.ErrnoException, port: number): Error {
  if (cause.code === 'EADDRINUSE') {
    const other = port < 65_535 ? port + 1 : 8_090;
    const hint = `choose another: make console CONSOLE_PORT=${other}`;
    return new UserError(`port ${port} is taken by another program; ${hint}`, { cause });
  }
  if (cause.code === 'EACCES') {
    return new UserError(`port ${port} is for root alone; choose another: make console CONSOLE_PORT=8090`, {
      cause,
    });
  }
  return cause;
}

async function handle(
  control: Control,
  port: number,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const refused = reasonToRefuse(request, port);
  if (refused !== null) {
    request.resume();
    sendJson(response, 403, { error: refused });
    return;
  }
  const { pathname } = new URL(request.url ?? '/', 'http://console');
  if (request.method === 'POST') await act(control, pathname, request, response);
  else if (request.method === 'GET') show(control, pathname, response);
  else sendJson(response, 405, { error: `${request.method}: only GET and POST` });
}

function show(control: Control, path: string, response: ServerResponse): void {
  if (path === '/') send(response, 200, 'text/html', consolePage(control.view()));
  else if (path === '/console.js') send(response, 200, 'text/javascript', script('page/console.js'));
  else if (path === '/race.js') send(response, 200, 'text/javascript', script('../race/race.js'));
  else if (path === '/changes') tellChanges(control, response);
  else if (path === '/state.json') sendJson(response, 200, control.view());
  else if (path === '/report.json') {
    const report = control.report();
    sendJson(response, report ? 200 : 404, report ?? { error: 'nothing has been sold yet' });
  } else sendJson(response, 404, { error: `${path}: there is no such thing` });
}

async function act(
  control: Control,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const body = await readBody(request);
  const [, part, word] = /^\/parts\/([\w-]+)\/(\w+)$/.exec(path) ?? [];
  const action = ACTIONS.find((action) => action === word);
  if (part !== undefined && action !== undefined) await control.act(part, action);
  else if (path === '/sell') control.sell(readWishes(body));
  else if (path === '/scale') await control.scale(readReplicas(body));
  else if (path === '/reset') await control.reset();
  else {
    sendJson(response, 404, { error: `${path}: there is no such action` });
    return;
  }
  sendJson(response, 200, { done: true });
}

// An action is a handful of numbers.
const MAX_BODY_BYTES = 10_000;

async function readBody(request: IncomingMessage): Promise<Record<string, unknown>> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) {
    text += String(chunk);
    if (text.length > MAX_BODY_BYTES) throw new UsageError('the body is too large');
  }
  try {
    const body: unknown = JSON.parse(text || '{}');
    if (typeof body === 'object' && body !== null) return body as Record<string, unknown>;
  } catch {
    // Said below.
  }
  throw new UsageError('the body is not a JSON object');
}

// Smooth to the eye, and drawing it anew takes a few milliseconds.
const TELL_EVERY_MS = 200;
// A connection over which nothing comes is taken for dead by some.
const SIGN_OF_LIFE_MS = 15_000;

/** Server-sent events: `state` for all figures, `lanes` for the drawing. What has changed since is told together. */
function tellChanges(control: Control, response: ServerResponse): void {
  send(response, 200, 'text/event-stream', null);
  let lastLanes: string | null = '';
  let timer: NodeJS.Timeout | undefined;
  const write = (event: string, data: unknown): void => {
    response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  };
  const tell = (): void => {
    timer = undefined;
    write('state', control.view());
    const lanes = lanesOf(control);
    const text = JSON.stringify(lanes);
    if (text !== lastLanes) write('lanes', lanes);
    lastLanes = text;
  };
  const watching = control.watch(() => (timer ??= setTimeout(tell, TELL_EVERY_MS)));
  const alive = setInterval(() => response.write(':\n\n'), SIGN_OF_LIFE_MS);
  tell();
  response.once('close', () => {
    watching[Symbol.dispose]();
    clearTimeout(timer);
    clearInterval(alive);
  });
}

/** Of a sale under way the drawing alone; of one that is over the whole section, and the moments to step through. */
function lanesOf(control: Control): { html: string; moments: unknown[] | null } | null {
  const lanes = control.lanes();
  if (lanes === null) return null;
  const { race, untilMs } = lanes;
  if (untilMs !== null) return { html: raceLanes(race, untilMs).html, moments: null };
  return {
    html: raceSection(race, 'race').html,
    moments: momentsOf(race).map(({ atMs, text, buyer }) => [atMs, buyer, text]),
  };
}

function script(name: string): string {
  return readFileSync(new URL(name, import.meta.url), 'utf8');
}

function sendJson(response: ServerResponse, status: number, content: object): void {
  send(response, status, 'application/json', JSON.stringify(content));
}

function send(response: ServerResponse, status: number, type: string, body: string | null): void {
  response.writeHead(status, {
    'content-type': `${type}; charset=utf-8`,
    'cache-control': 'no-store',
    'content-security-policy': `${SERVED}; frame-ancestors 'none'`,
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-resource-policy': 'same-origin',
  });
  if (body !== null) response.end(body);
}
