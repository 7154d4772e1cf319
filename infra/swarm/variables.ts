import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { parse } from 'yaml';

import { UsageError } from '../command-line/index.ts';
import { readServiceSettings, type ServiceSettings } from '../stack/service-settings.ts';

/** The stack with one of each server, or with three. */
export function stackFilesOf({ ha }: Pick<Wish, 'ha'>): string[] {
  return ['stack.yml', ...(ha ? ['ha.yml'] : [])].map((name) =>
    fileURLToPath(new URL(name, import.meta.url)),
  );
}

/** What was asked for; what is left out stays as it is. */
export interface Wish {
  stack: string;
  /** Three of each server. Not changed while the stack is there: each kind has data of its own. */
  ha: boolean | undefined;
  replicas: number | undefined;
  port: number | undefined;
  image: string | undefined;
  /** Of the members of three. */
  redundantImage: string | undefined;
  settings: ServiceSettings;
}

/** What the services of the stack were deployed with. */
export interface Present {
  replicas: number;
  port: number;
  image: string;
  /** Null if there is one of each server. */
  redundantImage: string | null;
  settings: ServiceSettings;
}

/** What was asked for, and for the rest what is there: nobody who changes one thing has to know the others. */
export function completed(wish: Wish, present: Present | null): Wish & { ha: boolean } {
  const isRedundant = typeof present?.redundantImage === 'string';
  const { ha = isRedundant } = wish;
  if (present !== null && ha !== isRedundant) {
    throw new UsageError(
      `the data of three servers are apart from those of one: make swarm-down, and then make swarm HA=${ha ? 'on' : 'off'}`,
    );
  }
  return {
    ...wish,
    ha,
    replicas: wish.replicas ?? present?.replicas,
    port: wish.port ?? present?.port,
    image: wish.image ?? present?.image,
    redundantImage: wish.redundantImage ?? present?.redundantImage ?? undefined,
    settings: { ...present?.settings, ...wish.settings },
  };
}

/** The variables of the files of the stack. */
export function variablesOf(wish: Wish): Record<string, string> {
  const { stack, ha, image, redundantImage, replicas = 3, port = 8080, settings } = wish;
  return {
    ...settings,
    ...digests(stackFilesOf(wish), settings),
    STACK: stack,
    BOOKING_IMAGE: needed('BOOKING_IMAGE', image, 'lastseat-booking'),
    ...(ha && {
      REDUNDANT_IMAGE: needed('REDUNDANT_IMAGE', redundantImage, 'lastseat-redundant'),
      SINGLE_REDIS_URL: '',
    }),
    REPLICAS: String(replicas),
    PORT: String(port),
  };
}

function needed(variable: string, image: string | undefined, name: string): string {
  if (image !== undefined) return image;
  throw new UsageError(`which image? make swarm ${variable}=registry.example.com/${name}:1`);
}

/** Of each file that the stack makes a config of, for its name. Which one it is may depend on the settings. */
function digests(files: readonly string[], settings: ServiceSettings): Record<string, string> {
  const configs = files.flatMap((file) => {
    const stack = parse(readFileSync(file, 'utf8'), { merge: true, maxAliasCount: -1 }) as {
      configs: Record<string, { file: string }>;
    };
    return Object.entries(stack.configs);
  });
  return Object.fromEntries(
    configs.map(([name, { file }]) => {
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
  Mode: { Replicated?: { Replicas: number } };
  TaskTemplate: { ContainerSpec: { Image: string; Env?: string[] } };
  EndpointSpec?: { Ports?: { PublishedPort: number }[] };
}

/** @param router null where there is none */
export function presentOf(booking: string, nginx: string, router: string | null): Present {
  const service = specOf(booking);
  const { Env = [] } = service.TaskTemplate.ContainerSpec;
  return {
    replicas: service.Mode.Replicated?.Replicas ?? 3,
    port: specOf(nginx).EndpointSpec?.Ports?.[0]?.PublishedPort ?? 8080,
    image: imageOf(service),
    redundantImage: router === null ? null : imageOf(specOf(router)),
    settings: readServiceSettings(Object.fromEntries(Env.map((line) => line.split(/=(.*)/s).slice(0, 2)))),
  };
}

function specOf(told: string): Inspected {
  const [{ Spec: spec }] = JSON.parse(told) as [{ Spec: Inspected }];
  return spec;
}

/** Without what the registry called it then, which Swarm adds. */
function imageOf({ TaskTemplate: { ContainerSpec } }: Inspected): string {
  return ContainerSpec.Image.replace(/@sha256:.*$/, '');
}
