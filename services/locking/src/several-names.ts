import { LockLostError, LockTimeoutError, LockUnavailableError } from './errors.ts';
import type { Lease } from './lock.ts';
import type { AcquireSettings } from './options.ts';

/**
 * Several locks as one: all of them or none. The names are taken one after the other in sorted order, which is the
 * same in every process, so that two callers who want the same names can never wait for each other in a circle.
 */
export async function acquireSeveral(
  acquireOne: (name: string, settings: AcquireSettings) => Promise<Lease>,
  names: readonly string[],
  settings: AcquireSettings,
): Promise<Lease> {
  const waitUntil = performance.now() + settings.waitMs;
  const leases: Lease[] = [];
  try {
    // By code units, not by locale: the order must not depend on where a process runs.
    for (const name of [...new Set(names)].sort()) {
      const waitMs = Math.max(0, waitUntil - performance.now());
      const signal = whileAllHeld(settings, leases);
      // A wait ends by an abort that happens during it, not by one that happened while the name before was granted.
      signal?.throwIfAborted();
      leases.push(await acquireOne(name, { ...settings, waitMs, signal }));
    }
    settings.signal?.throwIfAborted();
    for (const lease of leases) lease.assertHeld();
  } catch (error) {
    // Best effort: what cannot be given back now ends with its TTL, and the caller has to hear of `error`.
    await releaseInReverse(leases).catch(() => undefined);
    if (!(error instanceof LockTimeoutError)) throw error;
    const { lock, holder, heldHere } = error;
    throw new LockTimeoutError({ lock, holder, heldHere, waitMs: settings.waitMs, cause: error });
  }
  return asOne(leases);
}

/** A wait for the next name is over when one of the names before it has been lost. */
function whileAllHeld({ signal }: AcquireSettings, leases: readonly Lease[]): AbortSignal | undefined {
  if (leases.length === 0) return signal;
  const signals = leases.map((lease) => lease.signal);
  return AbortSignal.any(signal === undefined ? signals : [signal, ...signals]);
}

function asOne(leases: readonly Lease[]): Lease {
  const tokens = new Map(leases.map(({ name, token }) => [name, token]));
  const release = () => releaseInReverse(leases);
  return {
    name: [...tokens.keys()].join(', '),
    holder: leases.map(({ holder }) => holder).join(', '),
    token: Math.max(...tokens.values()),
    tokens,
    signal: AbortSignal.any(leases.map((lease) => lease.signal)),
    remainingMs: () => Math.min(...leases.map((lease) => lease.remainingMs())),
    assertHeld() {
      for (const lease of leases) lease.assertHeld();
    },
    async extend(ttlMs) {
      throwFirst(await Promise.allSettled(leases.map((lease) => lease.extend(ttlMs))));
    },
    release,
    // As with a single name, only a loss is thrown.
    async [Symbol.asyncDispose]() {
      try {
        await release();
      } catch (error) {
        if (!(error instanceof LockUnavailableError)) throw error;
      }
    },
  };
}

/**
 * Sent in reverse, so that whoever is given the first name finds the others free; but without waiting for each answer:
 * from a silent Redis that would take one time-out per name.
 */
async function releaseInReverse(leases: readonly Lease[]): Promise<void> {
  throwFirst(await Promise.allSettled(leases.toReversed().map((lease) => lease.release())));
}

/** One error stands for all: a loss before anything else, since only a loss says that the work was unprotected. */
function throwFirst(outcomes: readonly PromiseSettledResult<void>[]): void {
  const errors = outcomes.flatMap((outcome) =>
    outcome.status === 'rejected' ? [outcome.reason as unknown] : [],
  );
  if (errors.length > 0) throw errors.find((error) => error instanceof LockLostError) ?? errors[0];
}
