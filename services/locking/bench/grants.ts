/** Everything that the waiters of one process were granted, one entry for each grant, in columns. */
export interface Grants {
  /** Which waiter of the process. */
  readonly waiter: Uint32Array;
  /** Which lock name. */
  readonly name: Uint32Array;
  /** Just before it asked, just inside the critical section, and just before leaving it. */
  readonly askedMs: Float64Array;
  readonly grantedMs: Float64Array;
  readonly leftMs: Float64Array;
  /** The fencing token; NaN if the library has none. */
  readonly token: Float64Array;
}

export interface GrantLog {
  add(waiter: number, name: number, askedMs: number, grantedMs: number, leftMs: number, token?: number): void;
  grants(): Grants;
}

// A second of the fastest lock fits in without growing, so that the log costs each contender the same.
const firstCapacity = 1 << 17;

/** Columns of numbers rather than objects: a hundred thousand grants a second must not feed the garbage collector. */
export function createGrantLog(capacity = firstCapacity): GrantLog {
  let columns = allocate(capacity);
  let size = 0;
  return {
    add(waiter, name, askedMs, grantedMs, leftMs, token = Number.NaN) {
      if (size === columns.waiter.length) columns = allocate(size * 2, columns);
      columns.waiter[size] = waiter;
      columns.name[size] = name;
      columns.askedMs[size] = askedMs;
      columns.grantedMs[size] = grantedMs;
      columns.leftMs[size] = leftMs;
      columns.token[size] = token;
      size += 1;
    },
    grants: () => ({
      waiter: columns.waiter.slice(0, size),
      name: columns.name.slice(0, size),
      askedMs: columns.askedMs.slice(0, size),
      grantedMs: columns.grantedMs.slice(0, size),
      leftMs: columns.leftMs.slice(0, size),
      token: columns.token.slice(0, size),
    }),
  };
}

function allocate(capacity: number, from?: Grants): Grants {
  const grown: Grants = {
    waiter: new Uint32Array(capacity),
    name: new Uint32Array(capacity),
    askedMs: new Float64Array(capacity),
    grantedMs: new Float64Array(capacity),
    leftMs: new Float64Array(capacity),
    token: new Float64Array(capacity),
  };
  if (from) {
    grown.waiter.set(from.waiter);
    grown.name.set(from.name);
    grown.askedMs.set(from.askedMs);
    grown.grantedMs.set(from.grantedMs);
    grown.leftMs.set(from.leftMs);
    grown.token.set(from.token);
  }
  return grown;
}
