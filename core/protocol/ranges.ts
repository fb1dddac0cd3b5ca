/** Sets of sequence numbers as ranges. Pure: every function returns a new set. */

/** From and to, both included. */
export type Range = readonly [number, number];
/** Ascending; between two of them at least one number is missing. */
export type RangeSet = readonly Range[];

/** Where `n` is, or where it would go in: the first range that ends at `n` or later. */
function indexOf(set: RangeSet, n: number): number {
  let low = 0;
  let high = set.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((set[middle] as Range)[1] < n) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The range that holds `n`. */
export function rangeOf(set: RangeSet, n: number): Range | undefined {
  const range = set[indexOf(set, n)];
  return range !== undefined && range[0] <= n ? range : undefined;
}

export function addRange(set: RangeSet, [from, to]: Range): RangeSet {
  // Neighbours are joined: a range that ends at from - 1 takes part.
  const first = indexOf(set, from - 1);
  let last = first;
  let joined: Range = [from, to];
  for (let range = set[last]; range !== undefined && range[0] <= to + 1; range = set[++last]) {
    joined = [Math.min(joined[0], range[0]), Math.max(joined[1], range[1])];
  }
  return [...set.slice(0, first), joined, ...set.slice(last)];
}

export const addRanges = (set: RangeSet, ranges: readonly Range[]): RangeSet => ranges.reduce(addRange, set);

/** What of 1 to `last` is in none of the sets. */
export function missingRanges(last: number, ...sets: readonly RangeSet[]): RangeSet {
  const known = sets.flat().sort((a, b) => a[0] - b[0]);
  const missing: Range[] = [];
  let next = 1;
  for (const [from, to] of known) {
    if (from > last) break;
    if (from > next) missing.push([next, from - 1]);
    next = Math.max(next, to + 1);
  }
  if (next <= last) missing.push([next, last]);
  return missing;
}

export const countOf = (set: RangeSet): number => set.reduce((sum, [from, to]) => sum + to - from + 1, 0);
