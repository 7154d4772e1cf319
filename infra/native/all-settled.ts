/** Waits for all, also when one fails: what is still starting could not be stopped again. */
export async function allSettled(promises: Promise<unknown>[]): Promise<void> {
  for (const result of await Promise.allSettled(promises)) {
    if (result.status === 'rejected') throw result.reason;
  }
}
