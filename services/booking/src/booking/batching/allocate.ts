/**
 * Decides which requests of a batch get their tickets: in arrival order, each whole or not at all. A request that
 * no longer fits is refused and a smaller one behind it may still be served, exactly as if they had come one by one.
 *
 * @param mayTake asked of each that fits, in that order; what it refuses is left to the others
 * @returns for each quantity, whether it is granted; the granted ones never add up to more than `available`.
 */
export function allocate(
  available: number,
  quantities: readonly number[],
  mayTake: (index: number) => boolean = () => true,
): boolean[] {
  let left = available;
  return quantities.map((quantity, index) => {
    if (quantity > left) return false;
    if (!mayTake(index)) return false;
    left -= quantity;
    return true;
  });
}
