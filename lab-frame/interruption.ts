import { UserError } from '@lastseat/infra/command-line';

/** The first Ctrl-C ends a program in order; the second one ends it at once, and the watchdogs clean up. */
export function onInterruption(whatNow: string): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () => {
      process.stderr.write(`interrupted: ${whatNow} ...\n`);
      controller.abort(new UserError('interrupted'));
    });
  }
  return controller.signal;
}
