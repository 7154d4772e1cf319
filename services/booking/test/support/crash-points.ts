import type { FaultProxy } from '@lastseat/infra/servers';

/**
 * Where the connections to Postgres break: at the n-th statement from now on, or from the last break on, counted over
 * all connections of the proxy. Either it never reaches Postgres, and all connections break with it; or it is executed,
 * and its answer is lost with its connection.
 */
export interface CrashPoint {
  readonly statement: number;
  readonly when: 'before' | 'after';
}

/** @returns those that were reached so far */
export function crashAt(proxy: FaultProxy, points: readonly CrashPoint[]): readonly CrashPoint[] {
  const reached: CrashPoint[] = [];
  let seen = 0;
  proxy.dropReplies(Number.POSITIVE_INFINITY, {
    matching(sent) {
      if (!isStatement(sent)) return false;
      seen += 1;
      const point = points[reached.length];
      if (point === undefined || seen < point.statement) return false;
      reached.push(point);
      seen = 0;
      if (point.when === 'before') proxy.cut();
      return point.when === 'after';
    },
  });
  return reached;
}

/**
 * By the type of the first message: Query, Parse, or Bind of a statement that was prepared before. What opens and ends
 * a connection has others. https://www.postgresql.org/docs/current/protocol-message-formats.html
 */
function isStatement(sent: Buffer): boolean {
  return 'QPB'.includes(String.fromCharCode(sent[0] ?? 0));
}
