import type { Grants } from './grants.ts';

/** What a lock must never do, as it was seen. */
export interface Violations {
  /** Critical sections that began before an earlier one of the same name had ended. */
  overlaps: number;
  /** Grants whose token was not larger than that of an earlier grant of the same name. */
  tokensNotRising: number;
}

/**
 * Whether the lock was one, from what was seen inside the critical sections: all processes read the same clock, so
 * their sections can be laid side by side. Nothing of this is in the way of the locks while they are measured.
 */
export function findViolations(processes: readonly Grants[]): Violations {
  let overlaps = 0;
  let tokensNotRising = 0;
  for (const sections of sectionsByName(processes)) {
    let leftMs = -Infinity;
    let token = -Infinity;
    for (const section of sections) {
      if (section.grantedMs < leftMs) overlaps += 1;
      leftMs = Math.max(leftMs, section.leftMs);
      // NaN, of a library without tokens, is neither smaller nor larger.
      if (section.token <= token) tokensNotRising += 1;
      if (section.token > token) token = section.token;
    }
  }
  return { overlaps, tokensNotRising };
}

/** How long a lock lay idle between two holders of the same name, in ms. */
export interface HandOvers {
  /** The next holder is in another process. */
  betweenMs: Float64Array;
  /** It is in the same one. */
  withinMs: Float64Array;
}

/** Of all hand-overs whose next holder began in the window. */
export function handOvers(processes: readonly Grants[], fromMs: number, untilMs: number): HandOvers {
  const betweenMs: number[] = [];
  const withinMs: number[] = [];
  for (const sections of sectionsByName(processes)) {
    for (const [index, next] of sections.entries()) {
      const last = sections[index - 1];
      if (!last || next.grantedMs < fromMs || next.grantedMs >= untilMs) continue;
      (last.process === next.process ? withinMs : betweenMs).push(next.grantedMs - last.leftMs);
    }
  }
  return { betweenMs: Float64Array.from(betweenMs).sort(), withinMs: Float64Array.from(withinMs).sort() };
}

interface Section {
  process: number;
  grantedMs: number;
  leftMs: number;
  token: number;
}

/** For each lock name its critical sections, in the order in which they began. */
function sectionsByName(processes: readonly Grants[]): Section[][] {
  const byName = new Map<number, Section[]>();
  for (const [process, { name, grantedMs, leftMs, token }] of processes.entries()) {
    for (const [index, key] of name.entries()) {
      const section = {
        process,
        grantedMs: grantedMs[index] ?? Number.NaN,
        leftMs: leftMs[index] ?? Number.NaN,
        token: token[index] ?? Number.NaN,
      };
      const sections = byName.get(key);
      if (sections) sections.push(section);
      else byName.set(key, [section]);
    }
  }
  return [...byName.values()].map((sections) => sections.sort((a, b) => a.grantedMs - b.grantedMs));
}
