import {
  ConfigError,
  readConfig,
  SETTINGS,
  type Config,
} from '../../../../../services/booking/src/config.ts';
import { containersOf, environmentOf, podsOf, type Manifest, type Pods } from '../manifests.ts';

/** In the place of what a Secret that is made elsewhere will say. */
const STAND_INS: Record<string, string> = {
  DATABASE_URL: 'postgres://user:password@postgres.example:5432/lastseat',
  REDIS_URL: 'redis://redis.example:6379',
  BOOKING_KEY: 'an example of a key for the secrets of bookings',
  OPERATORS: 'ada an-example-of-a-token events:write',
};

/** The service knows every variable that it is given, and takes their values. */
export function settings(objects: readonly Manifest[]): string[] {
  return podsOf(objects)
    .filter(({ name }) => name === 'booking')
    .flatMap((pods) => {
      const unknown = Object.keys(variablesOf(objects, pods)).filter((name) => !SETTINGS.includes(name));
      const notKnown = unknown.map((name) => `${pods.of} is given ${name}, which it does not know`);
      return notKnown.concat(problemsOf(objects, pods));
    });
}

export function configOf(objects: readonly Manifest[], pods: Pods): Config {
  return readConfig(variablesOf(objects, pods));
}

function problemsOf(objects: readonly Manifest[], pods: Pods): readonly string[] {
  try {
    configOf(objects, pods);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

function variablesOf(objects: readonly Manifest[], pods: Pods): Record<string, string> {
  const [container] = containersOf(pods);
  const given = Object.entries(container ? environmentOf(objects, container) : {});
  return Object.fromEntries(given.map(([name, value]) => [name, value ?? STAND_INS[name] ?? '']));
}
