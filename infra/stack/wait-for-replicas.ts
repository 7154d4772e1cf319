import { Agent, get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

import { UserError } from './user-error.ts';

// They have been found healthy, or started as the others were: what is left is their last second of starting and
// nginx's second of looking for them.
const timeoutMs = 60_000;
const requestTimeoutMs = 2_000;

/** Returns once that many different replicas have said, through nginx, that they are ready. */
export async function waitForReplicas(url: string, replicas: number): Promise<void> {
  const agent = new Agent({ keepAlive: true });
  const seen = new Set<string>();
  const deadline = performance.now() + timeoutMs;
  try {
    while (seen.size < replicas) {
      if (performance.now() > deadline) {
        throw new UserError(
          `only ${seen.size} of ${replicas} replicas answer through ${url} (make ps and make logs tell more)`,
        );
      }
      // Twice as many questions as replicas, all at once: nginx gives each to the replica with the fewest.
      const answers = await Promise.all(
        Array.from({ length: 2 * replicas }, () => askWhoIsReady(url, agent)),
      );
      for (const instanceId of answers) if (instanceId !== null) seen.add(instanceId);
      if (seen.size < replicas) await sleep(100);
    }
  } finally {
    agent.destroy();
  }
}

function askWhoIsReady(url: string, agent: Agent): Promise<string | null> {
  return new Promise((resolve) => {
    const request = get(`${url}/readyz`, { agent, timeout: requestTimeoutMs }, (response) => {
      const instanceId = response.headers['x-instance-id'];
      const isReady = response.statusCode === 200 && typeof instanceId === 'string';
      response.resume();
      response.once('close', () => resolve(isReady ? instanceId : null));
    });
    request.once('timeout', () => request.destroy());
    request.once('error', () => resolve(null));
  });
}
