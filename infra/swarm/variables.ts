import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { parse } from 'yaml';

import { UsageError } from '../command-line/index.ts';
import { readServiceSettings, type ServiceSettings } from '../stack/service-settings.ts';

export const stackFile = fileURLToPath(new URL('stack.yml', import.meta.url));

/** What was asked for; what is left out stays as it is. */
export interface Wish {
  stack: string;
  replicas: number | undefined;
  port: number | undefined;
  image: string | undefined;
  settings: ServiceSettings;
}

/** What the service `booking` and nginx of the stack were deployed with. */
export interface Present {
  replicas: number;
  port: number;
  image: string;
  settings: ServiceSettings;
}

/** The variables of stack.yml. Nobody who changes one thing has to know the others. */
export function variablesOf(wish: Wish, present: Present | null): Record<string, string> {
  const image = wish.image ?? present?.image;
  if (image === undefined) {
    throw new UsageError('which image? make swarm BOOKING_IMAGE=registry.example.com/lastseat-booking:1');
  }
  const settings = { ...present?.settings, ...wish.settings };
  return {
    ...settings,
    ...digests(settings),
    STACK: wish.stack,
    BOOKING_IMAGE: image,
    REPLICAS: String(wish.replicas ?? present?.replicas ?? 3),
    PORT: String(wish.port ?? present?.port ?? 8080),
  };
}

/** Of each file that stack.yml makes a config of, for its name. Which one it is may depend on the settings. */
function digests(settings: ServiceSettings): Record<string, string> {
  const { configs } = parse(readFileSync(stackFile, 'utf8'), { merge: true }) as {
    configs: Record<string, { file: string }>;
  };
  return Object.fromEntries(
    Object.entries(configs).map(([name, { file }]) => {
      const path = file.replace('${LAB_MODE:-off}', readLabMode(settings));
      const content = readFileSync(new URL(path, import.meta.url));
      const digest = createHash('sha256').update(content).digest('hex').slice(0, 12);
      return [`DIGEST_${name.toUpperCase().replaceAll('-', '_')}`, digest];
    }),
  );
}

function readLabMode({ LAB_MODE = 'off' }: ServiceSettings): 'on' | 'off' {
  if (LAB_MODE === 'on' || LAB_MODE === 'off') return LAB_MODE;
  throw new UsageError(`LAB_MODE=${LAB_MODE}: write on or off`);
}

/** What `docker service inspect` tells, as far as it is read. */
interface Inspected {
  Spec: {
    Mode: { Replicated?: { Replicas: number } };
    TaskTemplate: { ContainerSpec: { Image: string; Env?: string[] } };
    EndpointSpec?: { Ports?: { PublishedPort: number }[] };
  };
}

export function presentOf(booking: string, nginx: string): Present {
  const [{ Spec: service }] = JSON.parse(booking) as [Inspected];
  const [{ Spec: proxy }] = JSON.parse(nginx) as [Inspected];
  const { Image, Env = [] } = service.TaskTemplate.ContainerSpec;
  return {
    replicas: service.Mode.Replicated?.Replicas ?? 3,
    port: proxy.EndpointSpec?.Ports?.[0]?.PublishedPort ?? 8080,
    image: Image.replace(/@sha256:.*$/, ''), // Swarm adds what the registry called it then
    settings: readServiceSettings(Object.fromEntries(Env.map((line) => line.split(/=(.*)/s).slice(0, 2)))),
  };
}
