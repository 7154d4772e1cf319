import type { ContainerRuntimeClient, StartedTestContainer } from 'testcontainers';

import { freePort } from './free-port.ts';
import { retryWhenPortTaken, waitUntilAnswering } from './server.ts';
import type { Server, ServerKind } from './server.ts';
import { removeContainerWithParent } from './watchdog.ts';

export interface ContainerServerKind extends ServerKind {
  image: string;
  containerPort: number;
  command: string[];
  environment: Record<string, string>;
  files: { content: string; target: string }[];
}

const stopTimeoutSeconds = 15; // as for native servers: well above what an orderly end takes

/** A server in a container. Its host port is fixed, so that it is the same one after a restart. */
export async function startContainerServer(kind: ContainerServerKind): Promise<Server> {
  const { GenericContainer, getContainerRuntimeClient } = await import('testcontainers');
  const client = await getContainerRuntimeClient();

  async function create(port: number) {
    return new GenericContainer(kind.image)
      .withExposedPorts({ container: kind.containerPort, host: port })
      .withCommand(kind.command)
      .withEnvironment(kind.environment)
      .withCopyContentToContainer(kind.files.map((file) => ({ ...file, mode: 0o644 })))
      .withWaitStrategy(noWait)
      .start();
  }

  return retryWhenPortTaken(async () => {
    const port = await freePort();
    let controls = controlsOf(client, await create(port));
    const url = kind.url(port);
    let paused = false;

    async function becomeReady() {
      await waitUntilAnswering(kind, url, {
        hasDied: async () => !(await controls.isRunning()),
        logTail: () => controls.logTail(),
      });
    }

    async function resume() {
      if (paused) await controls.container.unpause();
      paused = false;
    }

    async function kill() {
      await resume(); // some engines cannot kill what they have frozen
      if (await controls.isRunning()) await controls.container.kill({ signal: 'SIGKILL' });
      await controls.container.wait();
    }

    async function stop() {
      await resume();
      if (await controls.isRunning()) await controls.container.stop({ t: stopTimeoutSeconds });
    }

    async function pause() {
      await controls.container.pause();
      paused = true;
    }

    async function restart({ keepData = true }: { keepData?: boolean } = {}) {
      await stop();
      if (keepData) {
        await controls.container.start();
      } else {
        await controls.remove();
        controls = controlsOf(client, await create(port));
      }
      await becomeReady();
    }

    try {
      await becomeReady();
    } catch (error) {
      await controls.remove();
      throw error;
    }
    const dispose = () => controls.remove();
    return {
      runtime: 'docker',
      url,
      port,
      kill,
      stop,
      restart,
      pause,
      resume,
      [Symbol.asyncDispose]: dispose,
    };
  });
}

function controlsOf(client: ContainerRuntimeClient, started: StartedTestContainer) {
  const container = client.container.getById(started.getId());
  const callOff = removeContainerWithParent(started.getId());
  return {
    container,
    async isRunning() {
      return (await container.inspect()).State.Running;
    },
    async logTail() {
      const log = await container.logs({ stdout: true, stderr: true, tail: 20 });
      return withoutFrames(log);
    },
    async remove() {
      await container.remove({ force: true, v: true });
      callOff();
    },
  };
}

/** The engine sends logs in frames: a stream number and a length in 8 bytes, then the text. */
function withoutFrames(log: Buffer): string {
  let text = '';
  for (let at = 0; at + 8 <= log.length;) {
    const length = log.readUInt32BE(at + 4);
    text += log.toString('utf8', at + 8, at + 8 + length);
    at += 8 + length;
  }
  return text;
}

// We ask the server itself, from outside and after restarts too; asking inside the container would only cost time.
const noWait = {
  async waitUntilReady() {},
  withStartupTimeout() {
    return noWait;
  },
  isStartupTimeoutSet: () => true,
  getStartupTimeout: () => 0,
};
