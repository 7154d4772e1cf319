import { readText } from '../swarm/stack-file.ts';

interface Locked {
  version?: string;
  license?: string;
  integrity?: string;
  link?: boolean;
  resolved?: string;
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
}

export interface Package {
  name: string;
  version: string;
  license: string;
  /** Its hash, which `npm ci` compares; null for those of this repository. */
  integrity: string | null;
}

/** What `npm ci --workspace ... --omit=dev` installs, by the lockfile: a workspace and all that it needs when it runs. */
export function productionPackages(workspace: string): Package[] {
  const { packages } = JSON.parse(readText('package-lock.json')) as { packages: Record<string, Locked> };
  const seen = new Map<string, Package>();
  const left = [workspace];
  for (let path = left.pop(); path !== undefined; path = left.pop()) {
    const locked = packages[path];
    if (locked === undefined || seen.has(path)) continue;
    if (locked.link === true) {
      left.push(locked.resolved ?? '');
      continue;
    }
    const name = path.split('node_modules/').at(-1) ?? path;
    const { version = '', license = '', integrity = null } = locked;
    seen.set(path, { name, version, license, integrity });
    for (const needed of Object.keys({ ...locked.dependencies, ...locked.optionalDependencies })) {
      left.push(whereItIs(packages, path, needed));
    }
  }
  return [...seen.values()];
}

/** As Node finds it: in the package's own folder, or in one above it. */
function whereItIs(packages: Record<string, Locked>, from: string, name: string): string {
  const parents = from.split('/').map((_, index, all) => all.slice(0, all.length - index).join('/'));
  const places = [...parents.map((parent) => `${parent}/node_modules/${name}`), `node_modules/${name}`];
  return places.find((place) => place in packages) ?? `node_modules/${name}`;
}
