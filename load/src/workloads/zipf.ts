/**
 * Picks one of `size` things, of which the n-th is 1/n as popular as the first.
 * @returns from a number between 0 and 1 to the position of a thing
 */
export function zipf(size: number): (at: number) => number {
  const upTo: number[] = [];
  let sum = 0;
  for (let rank = 1; rank <= size; rank += 1) {
    sum += 1 / rank;
    upTo.push(sum);
  }
  return (at) => {
    const wanted = at * sum;
    let low = 0;
    let high = size - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((upTo[middle] ?? sum) > wanted) high = middle;
      else low = middle + 1;
    }
    return low;
  };
}
