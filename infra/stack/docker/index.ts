import { realpathSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { assertRedundant } from '../../redundant/primary.ts';
import { toStderr } from '../../servers/install.ts';
import { waitUntil } from '../../servers/server.ts';
import { assertPortIsFree, portOf } from '../port.ts';
import { capture, show, work } from '../run-command.ts';
import type { Runtime, StackOptions } from '../runtime.ts';
import { SERVICE_SETTINGS } from '../service-settings.ts';
import { printTable } from '../table.ts';
import { UserError } from '../user-error.ts';
import { waitForReplicas } from '../wait-for-replicas.ts';
import { membersOfProject } from './ask-members.ts';
import { listContainers, type Container } from './containers.ts';
import { obstacleToDocker } from './engine.ts';
import { overlayOf, writeOverlay } from './lab-overlay.ts';
import { partsTable } from './parts-table.ts';
import { leadsToPostgres, stackOf } from './stack-of.ts';

export const repository = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '');

/** On top of docker-compose.yml: three of each server. */
const redundantFile = `${repository}/infra/redundant/compose.yml`;

// As many as docker-compose.yml names.
const watchServices = ['prometheus', 'grafana', 'exporter-nginx', 'exporter-redis', 'exporter-postgres'];

const quorumServices = ['quorum-1', 'quorum-2', 'quorum-3'];

// Health checks of Postgres and Redis, migrations, N replicas on a slow machine: what takes longer hangs.
const upTimeoutS = 300;

// The time between two health checks, and that of one.
const checkedWithinMs = 30_000;
const checkAgainMs = 500;

// To delete images and data: some hundred megabytes of files each.
const removalTimeoutMs = 60_000;

interface DockerOptions {
  note?: (line: string) => void;
  /** Connections from replicas to their servers can be struck. */
  links?: boolean;
  /** The clock of each replica can be set. */
  clocks?: boolean;
}

/** The topology of docker-compose.yml, under the project's name. */
export function dockerRuntime(
  project: string,
  { note = toStderr, links = false, clocks = false }: DockerOptions = {},
): Runtime {
  async function find() {
    return stackOf((await listContainers(project)).filter(isOurs));
  }

  /** All containers of the project. Throws if it is that of another clone: neither its parts nor its data are ours. */
  async function ourContainers() {
    const containers = await listContainers(project);
    const stranger = containers.find((container) => !isOurs(container));
    if (stranger === undefined) return containers;
    throw new UserError(
      `project "${project}" of Docker belongs to ${stranger.folder}; choose another name: COMPOSE_PROJECT_NAME=${project}-2`,
    );
  }

  async function found() {
    const containers = await ourContainers();
    const stack = stackOf(containers);
    if (stack === null) throw new UserError('nothing is running: make up');
    isRedundant = stack.ha;
    overlay ??= overlayOf(containers);
    return { containers, stack };
  }

  const where = ['--project-name', project, '--project-directory', repository];
  const file = ['--file', `${repository}/docker-compose.yml`];
  // What only a run of the lab has: all commands after the start must know of it.
  let overlay: string | null = null;
  let isRedundant = false;
  const composeArgs = (args: readonly string[]) => [
    'compose',
    ...where,
    ...file,
    ...(isRedundant ? ['--file', redundantFile] : []),
    ...(overlay === null ? [] : ['--file', overlay]),
    ...args,
  ];
  const compose = (args: readonly string[], env: NodeJS.ProcessEnv = {}) =>
    work('docker', composeArgs(args), { ...foreignEnv(), ...env });

  async function stop({ volumes }: { volumes: boolean }) {
    const containers = await listContainers(project);
    isRedundant = containers.some(({ service }) => service === 'router');
    overlay ??= overlayOf(containers);
    const args = ['--profile', '*', 'down', '--remove-orphans'];
    if ((await compose(volumes ? [...args, '--volumes'] : args)) !== 0) {
      throw new UserError('docker compose could not stop everything, see above');
    }
    if (volumes) await removeVolumes(project);
  }

  /**
   * What those parts say that ended badly or are not well; soon they are gone, and their words with them. One that ends
   * again and again is starting or restarting whenever it is looked at.
   */
  async function showFailed() {
    const failed = (await listContainers(project)).filter(({ state }) =>
      /unhealthy|starting|exited \([^0]/.test(state),
    );
    const services = new Set(failed.map(({ service }) => service));
    if (services.size === 0) return;
    await show(
      'docker',
      composeArgs(['--profile', '*', 'logs', '--no-color', '--tail', '10', ...services]),
      foreignEnv(),
    );
  }

  /** One that was frozen counts as unwell until it is looked at again, and Compose would give up at once. */
  async function untilChecked() {
    const deadlineMs = performance.now() + checkedWithinMs;
    while (performance.now() < deadlineMs) {
      const isUnwell = (await listContainers(project)).some(({ state }) => state === 'unhealthy');
      if (!isUnwell) return;
      await sleep(checkAgainMs);
    }
  }

  return {
    name: 'docker',
    find,

    async up(options) {
      const { replicas, port, quorum, labStrategies = [] } = options;
      if (quorum !== 0 && quorum !== quorumServices.length) {
        throw new UserError(`QUORUM=${quorum}: in Docker it is ${quorumServices.length} servers or 0`);
      }
      const before = await ourContainers();
      assertSameServers(before, options.ha ?? false);
      isRedundant = options.ha ?? false;
      const present = stackOf(before);
      if (present === null || portOf(present.url) !== port) await assertPortIsFree(port);

      if (links && isRedundant)
        throw new UserError('connections can be struck where there is one of each server: HA=off');
      if (labStrategies.length > 0 || links || clocks) {
        const servers = quorumServices.slice(0, quorum);
        const proxied = links ? { project, infra: `${repository}/infra`, quorum: servers } : null;
        overlay = writeOverlay(project, { strategies: labStrategies, links: proxied, clocks });
      }
      note('starting it in Docker ...');
      await untilChecked();
      const args = ['up', '--build', '--detach', '--wait', '--wait-timeout', String(upTimeoutS)];
      if ((await compose(args, settings(options))) !== 0) {
        await showFailed();
        if (before.length === 0) await stop({ volumes: false });
        throw new UserError(
          'docker compose could not start it, see above; without Docker: make up RUNTIME=native',
        );
      }
      if (!options.watch && before.some(({ service }) => watchServices.includes(service))) {
        await compose(['--profile', 'watch', 'rm', '--stop', '--force', ...watchServices]);
      }
      if (quorum === 0 && before.some(({ service }) => quorumServices.includes(service))) {
        await compose(['--profile', 'quorum', 'rm', '--stop', '--force', ...quorumServices]);
      }
      const { stack } = await found();
      await waitForReplicas(stack.url, replicas);
      if (stack.ha) {
        note('waiting until every server may be lost ...');
        const members = membersOfProject(project);
        await waitUntil('both replicas of Redis and of Postgres follow', () =>
          assertRedundant(members).then(() => true),
        ).catch((cause: unknown) => {
          throw new UserError((cause as Error).message, { cause });
        });
      }
      return stack;
    },

    async scale(replicas) {
      const { containers, stack } = await found();
      // New replicas are made as the others were, whatever the environment says by now; those that serve are left
      // alone, whatever the sources say by now. `up` is for changing them.
      const password = containers.find(leadsToPostgres)?.env['POSTGRES_PASSWORD'];
      const cpus = containers.find(({ service }) => service === 'booking')?.cpus;
      const code = await compose(
        ['up', '--detach', '--no-deps', '--no-recreate', '--scale', `booking=${replicas}`, 'booking'],
        {
          ...settings({
            ...stack,
            replicas,
            port: portOf(stack.url),
            quorum: stack.quorumUrls.length,
            ha: stack.ha,
            watch: stack.watching !== null,
          }),
          POSTGRES_PASSWORD: password,
          BOOKING_CPUS: String(cpus ?? 1),
        },
      );
      if (code !== 0)
        throw new UserError('docker compose could not change the number of replicas, see above');
      await waitForReplicas(stack.url, replicas);
      return (await found()).stack;
    },

    async ps() {
      printTable(partsTable(await listContainers(project)));
    },

    async logs({ follow }) {
      isRedundant = (await find())?.ha ?? false;
      const args = ['--profile', '*', 'logs', '--tail', '100'];
      await show('docker', composeArgs(follow ? [...args, '--follow'] : args), foreignEnv());
    },

    async down({ volumes }) {
      // Asked even when no container is left: there may be a network, and volumes.
      if ((await obstacleToDocker()) !== null) return;
      await ourContainers();
      await stop({ volumes });
      if (overlay !== null) rmSync(dirname(overlay), { recursive: true, force: true });
      overlay = null;
      if (volumes) {
        for (const name of ['booking', 'redundant'])
          await capture('docker', ['image', 'rm', `${project}-${name}`], removalTimeoutMs);
      }
    },
  };
}

/** Compose forgets those that no service of its files has: of one server's where there are three, and the other way round. */
async function removeVolumes(project: string): Promise<void> {
  const ofProject = `label=com.docker.compose.project=${project}`;
  const { stdout } = await capture(
    'docker',
    ['volume', 'ls', '--quiet', '--filter', ofProject],
    removalTimeoutMs,
  );
  const names = stdout.split('\n').filter(Boolean);
  if (names.length > 0) await capture('docker', ['volume', 'rm', ...names], removalTimeoutMs);
}

/** The data of one server and those of three are apart. */
function assertSameServers(containers: readonly Container[], ha: boolean): void {
  const server = containers.find(leadsToPostgres);
  if (server === undefined || (server.service === 'router') === ha) return;
  const [is, wanted] = ha ? ['one of each server', 'on'] : ['three of each server', 'off'];
  throw new UserError(
    `it runs with ${is}, and their data stay with them; to change over: make down up HA=${wanted}`,
  );
}

/** Started from this folder, by whichever of its names. A folder that is gone was another one. */
export function isOurs({ folder }: Container): boolean {
  try {
    return realpathSync(folder) === realpathSync(repository);
  } catch {
    return false;
  }
}

/**
 * The environment without what `up` sets itself: to the program that starts a stack they may mean something else, as
 * REPLICAS=1,2 does to the lab, and Compose refuses a whole file for one such value, also when it is to stop it.
 */
function foreignEnv(): NodeJS.ProcessEnv {
  return { ...process.env, REPLICAS: undefined, PORT: undefined, QUORUM: undefined };
}

/** What docker-compose.yml takes from the environment. */
function settings({ replicas, port, quorum, watch, settings = {} }: StackOptions): NodeJS.ProcessEnv {
  return {
    ...Object.fromEntries(SERVICE_SETTINGS.map((name) => [name, settings[name] ?? ''])),
    REPLICAS: String(replicas),
    PORT: String(port),
    QUORUM: quorum === 0 ? '' : String(quorum),
    COMPOSE_PROFILES: [...(quorum === 0 ? [] : ['quorum']), ...(watch ? ['watch'] : [])].join(),
  };
}
