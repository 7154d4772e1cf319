import { LockLostError, type AcquireOptions, type Lease, type Locks } from '@lastseat/locking';

export interface Grant {
  readonly token: number;
  readonly holder: string;
  isReleased: boolean;
}

/** A lock that is free whenever it is asked for, and whose leases are lost when the test says so. */
export interface HandLock extends Pick<Locks, 'acquire'> {
  readonly grants: readonly Grant[];
  /** The next so many leases are lost by the time that their holder asks. */
  loseNext(count: number): void;
}

export function createHandLock(): HandLock {
  const grants: Grant[] = [];
  let lastToken = 0;
  let toLose = 0;

  function leaseOf(grant: Grant, isLost: boolean): Lease {
    const assertHeld = () => {
      if (isLost) throw new LockLostError({ lock: 'by hand', token: grant.token, why: 'gone' });
    };
    const release = async () => void (grant.isReleased = true);
    return {
      name: 'by hand',
      holder: grant.holder,
      token: grant.token,
      signal: new AbortController().signal,
      remainingMs: () => (isLost ? 0 : 1_000),
      assertHeld,
      extend: async () => assertHeld(),
      release,
      [Symbol.asyncDispose]: release,
    };
  }

  return {
    grants,
    loseNext: (count) => void (toLose = count),
    async acquire(_name: string | readonly string[], { tokenAbove = 0 }: AcquireOptions = {}) {
      lastToken = Math.max(lastToken, tokenAbove) + 1;
      const grant = { token: lastToken, holder: `me:${lastToken}`, isReleased: false };
      grants.push(grant);
      toLose -= 1;
      return leaseOf(grant, toLose >= 0);
    },
  };
}
