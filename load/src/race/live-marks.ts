import type { Cluster, Following } from '@lastseat/infra/cluster';

import { markIn } from './logged-mark.ts';
import type { RaceMark } from './race.ts';

/** A request as its replica has told of it so far. */
export interface MarkedRequest {
  /** As a UUID. */
  requestId: string;
  /** The replica that has it in hand. */
  part: string;
  marks: RaceMark[];
}

/**
 * What the replicas write into their logs of requests that ask for marks, as they write it: so one sees who waits, and
 * what a replica had in hand that never answers.
 */
export interface LiveMarks extends Disposable {
  /** Listens to these replicas, and to no others. Returns when whatever they say is heard. */
  listenTo(replicas: readonly string[]): Promise<void>;
  of(requestId: string): MarkedRequest | undefined;
  all(): MarkedRequest[];
  forget(): void;
}

export function liveMarks(cluster: Pick<Cluster, 'follow'>): LiveMarks {
  const requests = new Map<string, MarkedRequest>();
  const followed = new Map<string, Following>();

  function hear(part: string, line: string): void {
    const heard = markIn(line);
    if (heard === null) return;
    const { requestId, mark, atMs, value } = heard;
    const request = requests.get(requestId) ?? { requestId, part, marks: [] };
    requests.set(requestId, request);
    request.marks.push({ name: mark, atMs, value });
  }

  return {
    async listenTo(replicas) {
      for (const [name, following] of followed) {
        if (replicas.includes(name)) continue;
        following[Symbol.dispose]();
        followed.delete(name);
      }
      for (const name of replicas) {
        if (!followed.has(name))
          followed.set(
            name,
            cluster.follow(name, (line) => hear(name, line)),
          );
      }
      await Promise.all([...followed.values()].map(({ ready }) => ready));
    },
    of: (requestId) => requests.get(requestId),
    all: () => [...requests.values()],
    forget: () => requests.clear(),
    [Symbol.dispose]() {
      for (const following of followed.values()) following[Symbol.dispose]();
    },
  };
}
