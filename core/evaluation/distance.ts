/**
 * Kolmogorov-Smirnov distance D between recorded values and a training distribution of which only equally spaced
 * quantiles are known: the largest difference of the two distribution functions, from below and from above, at those
 * quantiles. The D of all training rows is larger by at most the distance of two quantiles (1/32).
 * @param quantiles ascending; 0, 1/(n-1), … 1
 * @param sorted ascending, finite
 * @returns 0 to 1; null where either is unknown
 */
export function quantileDistance(quantiles: ArrayLike<number>, sorted: ArrayLike<number>): number | null {
  const steps = quantiles.length - 1;
  if (sorted.length === 0 || steps < 1 || Number.isNaN(quantiles[0])) return null;
  let largest = 0;
  for (let first = 0; first <= steps; ) {
    const x = quantiles[first] as number;
    let last = first;
    while (last < steps && quantiles[last + 1] === x) last++;
    const below = countBelow(sorted, x, false) / sorted.length;
    const upTo = countBelow(sorted, x, true) / sorted.length;
    // The first quantile is the smallest value of training: nothing lies below it.
    largest = Math.max(largest, Math.abs(below - first / steps), Math.abs(upTo - last / steps));
    first = last + 1;
  }
  return largest;
}

function countBelow(sorted: ArrayLike<number>, x: number, orEqual: boolean): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const value = sorted[middle] as number;
    if (value < x || (orEqual && value === x)) low = middle + 1;
    else high = middle;
  }
  return low;
}
