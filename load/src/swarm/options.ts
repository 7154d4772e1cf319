import { STRATEGY_NAMES, type StrategyName } from '@lastseat/booking/contract';
import {
  helpText,
  json,
  name,
  names,
  number,
  readTable,
  text,
  UsageError,
  variablesOf,
  type JsonTarget,
} from '@lastseat/infra/command-line';

import { COMMANDS, type Commands } from './node-commands.ts';
import type { Scenario } from './scenario.ts';
import { SCENARIOS } from './scenarios.ts';

export interface Options {
  help: boolean;
  hosts: string[];
  commands: Commands;
  ha: boolean;
  scenarios: Scenario[];
  strategies: StrategyName[];
  runs: number;
  port: number;
  image: string | undefined;
  json: JsonTarget;
}

/** Those that promise to sell exactly, whatever happens; the quorum lock's servers are not part of the stack. */
const EXACT = STRATEGY_NAMES.filter((name) => !['no-lock', 'simple-lock', 'quorum-lock'].includes(name));
const DEFAULT: StrategyName[] = ['fenced-lock', 'batched-update'];

export const TABLE = {
  hosts: text('HOSTS', { what: 'the Docker host of each node, as in DOCKER_HOST, with spaces between them' }),
  kill: text('COMMAND', { what: 'is called with the name of a node, which it takes the power from' }),
  boot: text('COMMAND', { what: 'starts it again, with its data' }),
  unplug: text('COMMAND', { what: 'takes its network cable out' }),
  plug: text('COMMAND', { what: 'puts it back' }),
  ha: name(['on', 'off'], { what: 'three of each data server, one on each of three nodes (default: off)' }),
  name: names(
    SCENARIOS.map(({ name }) => name),
    { what: 'these scenarios (default: all that there are servers for)' },
  ),
  strategy: names(EXACT, { what: `these guards, all at the same time (default: ${DEFAULT.join(', ')})` }),
  runs: number({ min: 1, max: 100, what: 'of each scenario (default: 1)' }),
  port: number({ min: 1, max: 65_535, what: 'that nginx takes on every node (default: 8080)' }),
  image: text('IMAGE', {
    what: 'of the service, which this machine has (default: it is built of this checkout)',
    variable: 'BOOKING_IMAGE',
  }),
  json: json('what was found'),
};

export const HELP = helpText({
  summary:
    'Deploys the stack on a swarm that is made for tests, changes it, kills its nodes and takes their cables out, while buyers ' +
    'come steadily through the nginx of the nodes; the checks of the lab say what was sold, lost or told wrongly meanwhile.',
  examples: [
    ['make test-swarm HOSTS="unix:///run/n1.sock tcp://10.0.0.12:2375 ..." NAME=scale', 'no node is struck'],
    ['make test-swarm HOSTS=... KILL=./kill BOOT=./boot UNPLUG=./unplug PLUG=./plug RUNS=5', 'everything'],
    [
      'make test-swarm HA=on HOSTS=... KILL=...',
      'the same with three of each data server, which are struck too',
    ],
  ],
  program: 'load/src/swarm/main.ts',
  table: TABLE,
  notes: `Scenarios:
${SCENARIOS.map(({ name, what, ofThree }) => `  ${name}: ${what}${ofThree ? ' (HA=on)' : ''}`).join('\n')}

All nodes must be managers, in HOSTS, and carry the label test=yes: docker node update --label-add test=yes NODE. One of them gets the data, and is never struck; with HA=on three get them, and each may be. The stack and its data are removed at the end; the images stay.
Exit code: 0 everything held; 1 something did not, or this cannot run here; 2 a wrong option; 130 interrupted.`,
});

export const variables = (): string[] => variablesOf(TABLE);

export function readOptions(argv: readonly string[], env: NodeJS.ProcessEnv): Options {
  const given = readTable(TABLE, argv, env);
  const hosts = (given.hosts ?? '').split(/\s+/).filter(Boolean);
  const ha = given.ha === 'on';
  const possible = SCENARIOS.filter(({ ofThree = false }) => ha || !ofThree);
  const scenarios = possible.filter(({ name }) => given.name?.includes(name) ?? true);
  if (!given.help) {
    refuseWithoutHosts(hosts);
    refuseImpossible(possible, given.name);
    refuseWithoutCommands(scenarios, possible, given);
  }
  return {
    help: given.help,
    hosts,
    commands: given,
    ha,
    scenarios,
    strategies: given.strategy ?? DEFAULT,
    runs: given.runs ?? 1,
    port: given.port ?? 8080,
    image: given.image,
    json: given.json,
  };
}

/** The smallest swarm that goes on when one of its managers is lost. */
const NODES = 3;

function refuseWithoutHosts(hosts: readonly string[]): void {
  if (hosts.length === 0)
    throw new UsageError(
      'which swarm? make test-swarm HOSTS="unix:///run/n1.sock ssh://n2 ..." names the Docker hosts of its nodes',
    );
  if (hosts.length < NODES)
    throw new UsageError(
      `HOSTS names ${hosts.length} of at least ${NODES} nodes: with fewer managers a swarm outlives none of them`,
    );
}

function refuseImpossible(possible: readonly Scenario[], wanted: readonly string[] = []): void {
  const missing = wanted.filter((wish) => !possible.some(({ name }) => name === wish));
  if (missing.length > 0)
    throw new UsageError(`NAME=${missing.join(',')}: there are three of each server with HA=on only`);
}

function refuseWithoutCommands(
  scenarios: readonly Scenario[],
  possible: readonly Scenario[],
  given: Commands,
): void {
  const missing = COMMANDS.filter((command) => !given[command]);
  const lacking = scenarios.filter(({ needs }) => needs.some((command) => missing.includes(command)));
  if (lacking.length === 0) return;
  const wanted = missing.filter((command) => lacking.some(({ needs }) => needs.includes(command)));
  const others = possible.filter(({ needs }) => needs.length === 0).map(({ name }) => name);
  throw new UsageError(
    `${wanted.map((command) => `${command.toUpperCase()}=`).join(' and ')} missing, which ${lacking.map(({ name }) => name).join(', ')} ` +
      `need; without: make test-swarm HOSTS=... NAME=${others.join(',')}`,
  );
}
