/** A wrong option: one line that names it and what it may be. Exits 2. */
export class UsageError extends Error {
  override name = 'UsageError';
}
