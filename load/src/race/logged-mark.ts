import { asUuid } from '../answer.ts';

/** A step of a booking, as its replica has written it into its log at once: whoever is killed answers nobody. */
export interface LoggedMark {
  /** As a UUID; nginx makes ids without hyphens. */
  requestId: string;
  mark: string;
  /** On the clock of the machine. */
  atMs: number;
  value: number | null;
}

/** Null for every other line of a log. */
export function markIn(line: string): LoggedMark | null {
  if (!line.includes('"mark"')) return null;
  try {
    const { requestId, mark, atMs, value } = JSON.parse(line) as Record<string, unknown>;
    const id = asUuid(typeof requestId === 'string' ? requestId : null);
    if (id === null || typeof mark !== 'string' || typeof atMs !== 'number') return null;
    return { requestId: id, mark, atMs, value: typeof value === 'number' ? value : null };
  } catch {
    return null; // cut off in its middle, as its replica was
  }
}
