import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { toStderr } from '../servers/install.ts';
import type { Report } from '../servers/install.ts';
import { isRunning } from '../servers/processes.ts';
import type { Runtime } from '../stack/runtime.ts';
import { UserError } from '../stack/user-error.ts';
import { changeStack } from './change.ts';
import { tearDown } from './down.ts';
import { printLogs } from './logs.ts';
import { stackDir } from './places.ts';
import { printParts } from './ps.ts';
import { bookingApp } from './replicas.ts';
import type { App, Ways } from './replicas.ts';
import { stackOf } from './stack-of.ts';
import { loadState } from './state.ts';
import { assertValid, bringUp, changeReplicas } from './up.ts';

export { pidsOf } from './pids.ts';

export interface NativeOptions {
  /** Instead of LASTSEAT_HOME, or of `.lastseat` in the repository. */
  home?: string;
  app?: App;
  /** Leads the connections between the parts through what can strike them. */
  ways?: Ways | undefined;
  /** The clock of each replica can be set. */
  clocks?: boolean | undefined;
  report?: Report;
}

/** The service as it is started in a stack that lives there. */
export function appIn(dir: string, { app = bookingApp, ways, clocks = false }: NativeOptions): App {
  return {
    ...app,
    ways,
    clocks: clocks ? clocksIn(dir) : app.clocks,
  };
}

/** Where the clocks of replicas are set that can be. */
export function clocksIn(dir: string): string {
  return join(dir, 'clocks');
}

/** The topology as plain processes on loopback: postgres, redis-server, the replicas and nginx. */
export function nativeRuntime(
  project = 'lastseat',
  { home, report = toStderr, ...options }: NativeOptions = {},
): Runtime {
  const dir = stackDir(project, home);
  const app = appIn(dir, options);

  async function find() {
    const state = loadState(dir);
    const nginx = state?.parts['nginx'];
    if (!state || !nginx || !isRunning(nginx)) return null;
    try {
      return stackOf(state);
    } catch (cause) {
      throw new UserError(`what runs belongs to another user: its state in ${dir} is not readable`, {
        cause,
      });
    }
  }

  return {
    name: 'native',
    find,
    async up(options) {
      assertValid(options);
      return changeStack(dir, report, (change) => bringUp(change, app, options));
    },
    async scale(replicas) {
      if ((await find()) === null) throw new UserError('nothing is running: make up');
      return changeStack(dir, report, async (change) => {
        const { wanted } = change.state;
        if (wanted === null) throw new UserError('nothing is running: make up');
        const options = { ...wanted, replicas };
        assertValid(options);
        return changeReplicas(change, app, options);
      });
    },
    async ps() {
      printParts(loadState(dir));
    },
    async logs({ follow }) {
      await printLogs(dir, loadState(dir), follow);
    },
    async down({ volumes }) {
      if (!existsSync(dir)) return;
      await changeStack(dir, report, (change) => tearDown(change));
      if (!volumes) return;
      const dataDir = loadState(dir)?.dataDir;
      if (dataDir) rmSync(dataDir, { recursive: true, force: true });
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
