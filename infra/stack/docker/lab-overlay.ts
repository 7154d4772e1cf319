import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';

/**
 * What is laid over docker-compose.yml where the replicas are to load files of strategies: the folder of each file, as it
 * may import its neighbours, mounted so that nothing in the container can change it. Below /app, where Node finds the
 * service's packages.
 */
export function labOverlay(files: readonly string[]): object {
  const folders = [...new Set(files.map((file) => dirname(file)))];
  const inside = (folder: string) => `/app/lab/${folders.indexOf(folder)}`;
  return {
    services: {
      booking: {
        environment: {
          LAB_STRATEGIES: files.map((file) => join(inside(dirname(file)), basename(file))).join(),
        },
        volumes: folders.map((folder) => ({
          type: 'bind',
          source: folder,
          target: inside(folder),
          read_only: true,
        })),
      },
    },
  };
}

/** Compose reads JSON as well as YAML. @returns the path of the file */
export function writeOverlay(project: string, files: readonly string[]): string {
  const path = join(mkdtempSync(join(tmpdir(), `${project}-`)), 'lab.json');
  // In a value of Compose a dollar begins a variable.
  writeFileSync(path, JSON.stringify(labOverlay(files)).replaceAll('$', '$$$$'));
  return path;
}
