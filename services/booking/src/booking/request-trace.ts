/**
 * The trace that a request belongs to, where traces are made. What several requests share, such as the statement of a
 * batch, is a step in the trace of the first of them, to which those of the others have a link.
 */
export interface RequestTrace {
  share<T>(name: string, others: readonly RequestTrace[], step: () => Promise<T>): Promise<T>;
}

export interface Traceable {
  readonly trace?: RequestTrace | undefined;
}

/** Runs a step that these share; without traces it is just the step. */
export function inTraceOf<T>(
  requests: readonly Traceable[],
  name: string,
  step: () => Promise<T>,
): Promise<T> {
  const [first, ...others] = requests.flatMap(({ trace }) => trace ?? []);
  return first === undefined ? step() : first.share(name, others, step);
}
