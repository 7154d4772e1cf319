export function inOrder(numbers: readonly number[]): number[] {
  return numbers.toSorted((a, b) => a - b);
}

export function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** Of an even number, the mean of the two in the middle; null of none. */
export function median(numbers: readonly number[]): number | null {
  const sorted = inOrder(numbers);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle];
  if (upper === undefined) return null;
  const lower = sorted[middle - 1];
  return sorted.length % 2 === 1 || lower === undefined ? upper : (lower + upper) / 2;
}

/** The value that the given share of them does not exceed (nearest rank): one that was really measured. NaN of none. */
export function percentile(sorted: ArrayLike<number>, share: number): number {
  return sorted[Math.max(1, Math.ceil(sorted.length * share)) - 1] ?? Number.NaN;
}

/** Three digits that count: more of them would claim a precision that no bench has. */
export function round(value: number): number {
  return Number(value.toPrecision(3));
}
