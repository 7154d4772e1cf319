import { UsageError } from '@lastseat/infra/command-line';

import type { Options } from './options.ts';
import { scenarios, type Scenario } from './scenario.ts';
import type { Target } from './target.ts';

/**
 * Every run that was asked for, in order. Of `all` guards those that the stack does not have are left out, and `note`
 * says so; one that was asked for by name is a wrong option there.
 */
export function plan(options: Options, target: Target, note: (line: string) => void): Scenario[] {
  const guards = options.guards.filter((guard) => {
    if (guard !== 'quorum-lock' || target.hasQuorum) return true;
    const why = 'it needs Redis servers of its own (make up QUORUM=3)';
    if (!options.allGuards) throw new UsageError(`STRATEGY=quorum-lock: ${why}`);
    note(`quorum-lock is left out: ${why}`);
    return false;
  });
  const once = scenarios({ ...options, guards });
  return Array.from({ length: options.repeat }, () => once).flat();
}
