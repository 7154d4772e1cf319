import { UsageError } from '../command-line/index.ts';
import { obstacleToDocker } from './docker/engine.ts';
import type { Request } from './options.ts';
import { portOf } from './port.ts';
import type { Runtime, Stack, StackOptions, Watching } from './runtime.ts';
import { runningOf, runtimesOf } from './runtimes.ts';
import { readServiceSettings } from './service-settings.ts';
import { UserError } from './user-error.ts';

const defaults: Required<Omit<StackOptions, 'settings' | 'labStrategies'>> = {
  replicas: 3,
  port: 8080,
  quorum: 0,
  ha: false,
  watch: false,
};

const inWords = { docker: 'in Docker', native: 'natively' };

/** Where progress goes, and what was asked for. */
export interface Output {
  note(line: string): void;
  say(text: string): void;
}

/** Starts the topology, or changes the one that runs into what is asked for. */
export async function up(request: Request, { note, say }: Output): Promise<void> {
  const runtimes = runtimesOf();
  // Both at once: an engine that is silent costs five seconds for each question.
  const [[running], obstacle] = await Promise.all([runningOf(runtimes), obstacleToDocker()]);
  if (running && request.runtime !== null && request.runtime !== running.runtime.name) {
    const { name } = running.runtime;
    throw new UserError(
      `it runs ${inWords[name]} already, on ${running.stack.url}; to change over: make down up RUNTIME=${request.runtime}`,
    );
  }
  const runtime = running?.runtime ?? chooseRuntime(request, runtimes, obstacle, note);
  say(welcome(await runtime.up(complete(request, running?.stack))));
}

function chooseRuntime(
  request: Request,
  [docker, native]: [docker: Runtime, native: Runtime],
  obstacle: string | null,
  note: Output['note'],
): Runtime {
  if (request.runtime === 'native') return native;
  if (obstacle === null) return docker;
  if (request.runtime === 'docker') throw new UserError(`RUNTIME=docker: ${obstacle}`);
  note(`${obstacle}: running natively`);
  return native;
}

/** A stack that is half down may not know its size or its port any more: it is given the defaults. */
function complete(request: Request, stack: Stack | undefined): StackOptions {
  const present = stack && {
    replicas: stack.replicas,
    port: portOf(stack.url),
    quorum: stack.quorumUrls.length,
    ha: stack.ha,
    watch: stack.watching !== null,
  };
  return {
    replicas: request.replicas ?? (present?.replicas || defaults.replicas),
    port: request.port ?? (present?.port || defaults.port),
    quorum: request.quorum ?? present?.quorum ?? defaults.quorum,
    ha: request.ha ?? present?.ha ?? defaults.ha,
    watch: request.watch ?? present?.watch ?? defaults.watch,
    settings: { ...stack?.settings, ...readServiceSettings(process.env) },
  };
}

function welcome({ url, runtime, replicas, quorumUrls, ha, watching }: Stack): string {
  const servers = ha ? ', three each of Redis and Postgres' : '';
  const quorum =
    quorumUrls.length === 0 ? servers : `${servers} and ${quorumUrls.length} Redis servers for a quorum`;
  return `
${url} serves with ${replicas} ${replicas === 1 ? 'replica' : 'replicas'}${quorum}, ${inWords[runtime]}.
${watching === null ? '' : whereToLook(watching)}
  curl -X POST ${url}/book-with-lock/1    buys the only ticket of event 1; once
  curl ${url}/events/1                    what is left of it

  make load                let many buyers book at once, without the lock and with it
  make console             a page: sell, watch it, pause and kill what runs meanwhile
  make scale REPLICAS=5    while it sells
  make ps logs down help   the rest
`;
}

function whereToLook({ prometheusUrl, grafanaUrl }: Watching): string {
  const grafana = grafanaUrl === null ? '' : `${grafanaUrl} has the dashboard. `;
  return `${grafana}${prometheusUrl}/alerts has the alerts, ${prometheusUrl}/graph whatever you ask.\n`;
}

/** Changes the number of replicas and nothing else. */
export async function scale(request: Request, { say }: Output): Promise<void> {
  if (request.replicas === null) throw new UsageError('how many? make scale REPLICAS=5');
  const { runtime } = await theRunning();
  const { url, replicas } = await runtime.scale(request.replicas);
  say(`${url} serves with ${replicas} ${replicas === 1 ? 'replica' : 'replicas'}.`);
}

export async function ps(_request: Request, { say }: Output): Promise<void> {
  const running = await runningOf(runtimesOf());
  if (running.length === 0) say('nothing is running: make up');
  for (const { runtime } of running) await runtime.ps();
}

export async function logs({ follow }: Request): Promise<void> {
  const { runtime } = await theRunning();
  await runtime.logs({ follow });
}

/** Stops what either runtime has running, whatever RUNTIME says, and also halves that nobody would find. */
export async function down({ volumes }: Request, { say }: Output): Promise<void> {
  const runtimes = runtimesOf();
  const running = await runningOf(runtimes);
  for (const runtime of runtimes) await runtime.down({ volumes });
  if (volumes) say('stopped, and its data is gone');
  else say(running.length === 0 ? 'nothing was running' : 'stopped; its data stays (make clean deletes it)');
}

async function theRunning(): Promise<{ runtime: Runtime; stack: Stack }> {
  const [running] = await runningOf(runtimesOf());
  if (!running) throw new UserError('nothing is running: make up');
  return running;
}
