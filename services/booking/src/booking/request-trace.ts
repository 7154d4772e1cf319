import { type OnMark, withMarks } from '#src/marks.ts';

/**
 * The trace that a request belongs to, where traces are made. What several requests share, such as the statement of a
 * batch, is a step in the trace of the first of them, to which those of the others have a link.
 */
export interface RequestTrace {
  share<T>(name: string, others: readonly RequestTrace[], step: () => Promise<T>): Promise<T>;
}

export interface Traceable {
  readonly trace?: RequestTrace | undefined;
  readonly onMark?: OnMark | undefined;
}

/** Runs a step that these share, marked for the first of them that asks for marks; without traces it is just the step. */
export function inTraceOf<T>(
  requests: readonly Traceable[],
  name: string,
  step: () => Promise<T>,
): Promise<T> {
  const [first, ...others] = requests.flatMap(({ trace }) => trace ?? []);
  const onMark = requests.find(({ onMark }) => onMark !== undefined)?.onMark;
  const marked = onMark === undefined ? step : () => withMarks(onMark, step);
  return first === undefined ? marked() : first.share(name, others, marked);
}
