import { readdirSync, readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { parse } from 'yaml';

/** Of a file for Compose or for a swarm, what is read of it here. */
export interface StackFile {
  services: Record<string, Service>;
  networks?: Record<string, unknown>;
  volumes: Record<string, unknown>;
  configs?: Record<string, { file: string; name: string }>;
  secrets?: Record<string, { external: boolean; name: string }>;
}

export interface Service {
  image: string;
  entrypoint?: string[];
  command?: string[];
  environment?: Record<string, string>;
  volumes?: (string | { type: string; source?: string; target: string; read_only?: boolean })[];
  tmpfs?: string[];
  configs?: { source: string; target: string }[];
  secrets?: string[];
  ports?: { target: number; published?: string; mode?: string; host_ip?: string }[];
  healthcheck?: { test?: string[]; disable?: boolean; timeout?: string };
  mem_limit?: string;
  shm_size?: string;
  stop_grace_period?: string;
  networks?: string[];
  hostname?: string;
  profiles?: string[];
  deploy?: Deploy;
  [other: string]: unknown;
}

interface Deploy {
  mode?: string;
  replicas?: string | number;
  endpoint_mode?: string;
  placement?: { constraints?: string[] };
  update_config?: { order?: string; failure_action?: string };
  restart_policy?: { condition?: string };
  resources?: { limits?: { memory?: string } };
}

const root = new URL('../../../../', import.meta.url);

export function readText(path: string): string {
  return readFileSync(new URL(path, root), 'utf8');
}

/** Both files laid over one another, as a swarm would, as far as they are read here. */
export function laidOver(stack: StackFile, overlay: StackFile): StackFile {
  const services = Object.entries(overlay.services).map(([name, service]) => {
    const below = stack.services[name];
    const deploy = { ...below?.deploy, ...service.deploy };
    return [name, { ...below, ...service, deploy }] as const;
  });
  return {
    ...stack,
    services: { ...stack.services, ...Object.fromEntries(services) },
    volumes: { ...stack.volumes, ...overlay.volumes },
    configs: { ...stack.configs, ...overlay.configs },
  };
}

export function parseStack(text: string): StackFile {
  // Of Compose's own tags, such as !reset, it would warn.
  return parse(text, { merge: true, logLevel: 'error', maxAliasCount: -1 }) as StackFile;
}

/** The files that a service gets, and where: as bind mounts in Compose, as configs in a stack. From the repository's root. */
export function filesOf(file: StackFile, { volumes = [], configs = [] }: Service): Record<string, string> {
  const mounts = volumes
    .map((volume) =>
      typeof volume === 'string' ? volume.split(':') : [withoutDefaults(volume.source ?? ''), volume.target],
    )
    .filter(([path = '']) => path.startsWith('./'))
    .flatMap(([path = '', target = '']) => filesAt(path.slice(2), target));
  const contents = configs.map(({ source, target }) => {
    const path = withoutDefaults(file.configs?.[source]?.file ?? '');
    return [target, new URL(path, 'file:///infra/swarm/').pathname.slice(1)];
  });
  return Object.fromEntries([...mounts, ...contents]) as Record<string, string>;
}

/** A stack has no folders: all that is in one. */
function filesAt(path: string, target: string): [string, string][] {
  const isFolder = statSync(fileURLToPath(new URL(path, root)), { throwIfNoEntry: false })?.isDirectory();
  if (!isFolder) return [[target, path]];
  return readdirSync(new URL(path, root)).map((name) => [`${target}/${name}`, `${path}/${name}`]);
}

/** A variable is the same one in both files, though not where it is left out. */
function withoutDefaults(path: string): string {
  return path.replaceAll(/\$\{(\w+):-\w+\}/g, '$1');
}

/** Where its files can be changed: what keeps them, and what forgets them. */
export function writableOf({ volumes = [], tmpfs = [], shm_size }: Service): string[] {
  const named = volumes.flatMap((volume) => {
    if (typeof volume !== 'string') return volume.read_only ? [] : [`${volume.target} (${volume.type})`];
    return volume.startsWith('./') ? [] : [volume];
  });
  const memory = [...tmpfs, ...(shm_size === undefined ? [] : ['/dev/shm'])].map((path) => `${path} (tmpfs)`);
  return [...named, ...memory].toSorted();
}
