import { SERVICE_SETTINGS } from '../stack/service-settings.ts';
import { nearest } from './did-you-mean.ts';
import { UsageError } from './usage-error.ts';

const BY_TARGET = {
  'make itself': ['MAKE', 'MAKEFLAGS', 'SHELL', 'BIN', 'NODE', 'INSTALLED', 'NPM_CI', 'SBOM', 'ARGS'],
  'up, scale, ps, logs, down': ['REPLICAS', 'PORT', 'QUORUM', 'HA', 'WATCH', 'RUNTIME', 'FOLLOW'],
  'the stack': ['COMPOSE_PROJECT_NAME', 'COMPOSE_PROFILES', 'LASTSEAT_HOME', 'POSTGRES_PASSWORD'],
  'its containers': ['BOOKING_CPUS', 'NGINX_CPUS', 'POSTGRES_CPUS', 'REDIS_CPUS'],
  'its replicas': SERVICE_SETTINGS,
  swarm: ['BOOKING_IMAGE', 'REDUNDANT_IMAGE', 'ADMIN_TOKEN'],
  'test-swarm': ['HOSTS', 'KILL', 'BOOT', 'UNPLUG', 'PLUG'],
  'load, its crowd': ['TICKETS', 'BUYERS', 'CONNECTIONS', 'QUANTITY', 'RACE_WINDOW_MS', 'STRATEGY', 'REPEAT'],
  'load, its terms': ['TIMEOUT', 'EVENT', 'MAX_UNKNOWN', 'LOAD_URL', 'LOAD_DATABASE_URL', 'LOAD_REPLICAS'],
  audit: ['FIX'],
  'bench, bench-lock': ['QUICK', 'ONLY', 'PARTS', 'REPEATS', 'WINDOW_MS', 'EXACTNESS'],
  'bench-lock': ['WORKLOAD', 'RETRY_DELAY_MS'],
  'lab, runs, compare': ['RATE', 'ARRIVALS', 'FAULT', 'RUN_NAME', 'A', 'B'],
  drill: ['NAME', 'ALL', 'RUNS', 'SEED', 'UNTIL_BROKEN'],
  soak: ['MINUTES'],
  simulation: ['HISTORIES', 'FAULTS', 'TRACE'],
  'drill, simulation': ['MISTAKE'],
  console: ['CONSOLE_PORT'],
  report: ['RUN', 'BESIDE'],
  'what is printed': ['JSON', 'HISTORY', 'NO_COLOR', 'FORCE_COLOR'],
};

/**
 * The variables that may stand on make's command line: of all targets, because `make up load REPLICAS=5 TICKETS=1` hands
 * each of them to both. A test compares the list with what each program reads.
 */
export const VARIABLES: readonly string[] = Object.values(BY_TARGET).flat();

/**
 * A variable of the environment that nobody knows is somebody else's. One on make's command line is a mistake: without
 * this, `make load TICKET=5` would do something else than was asked for, and say PASS.
 */
export function refuseUnknownVariables({ MAKEFLAGS = '' }: NodeJS.ProcessEnv): void {
  for (const { name, text } of commandLineVariables(MAKEFLAGS)) {
    if (VARIABLES.includes(name)) continue;
    const meant = nearest(name, VARIABLES);
    const hint = meant === null ? 'make help lists the variables' : `did you mean ${meant}?`;
    throw new UsageError(`${text}: no target knows ${name}; ${hint}`);
  }
}

/**
 * GNU make and BSD make both hand them to what they start, after their own options and with a backslash before each
 * space: `ks --jobserver-auth=3,4 -- TICKETS=5 ARGS=--json\ --help`.
 */
function commandLineVariables(makeFlags: string): { name: string; text: string }[] {
  const words = makeFlags.match(/(?:\\.|[^\s\\])+/g) ?? [];
  return words.flatMap((word) => {
    const name = /^([A-Za-z_][\w.-]*?)(?:\+|\?|!|:{1,3})?=/.exec(word)?.[1];
    return name === undefined ? [] : [{ name, text: word.replaceAll(/\\(.)/g, '$1') }];
  });
}
