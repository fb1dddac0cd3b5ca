import { ln } from '../math.ts';
import type { KsStatistic } from './ks.ts';
import type { CellWeights } from './sliding-ks.ts';

/** Distances of two distributions that are counted in the cells of common knots (core/drift/reference.ts). */

/**
 * Kolmogorov-Smirnov distance at the knots.
 * @param a counts or shares in the cells; so is b
 * @returns 0 to 1; NaN where either is empty
 */
export function cellDistance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return cellStatistic(a, b).d;
}

/** The same with its two sides, for counts. */
export function cellStatistic(a: ArrayLike<number>, b: ArrayLike<number>): KsStatistic {
  const [n, m] = [sum(a), sum(b)];
  let difference = 0;
  let greater = 0;
  let less = 0;
  for (let cell = 0; cell < a.length; cell++) {
    difference += m * (a[cell] as number) - n * (b[cell] as number);
    if (difference > greater) greater = difference;
    else if (-difference > less) less = -difference;
  }
  const scale = n * m;
  return { d: Math.max(greater, less) / scale, dGreater: greater / scale, dLess: less / scale, n, m };
}

/**
 * Wasserstein distance (the mean way that a value has to move), in the values' unit. Both distribution functions are
 * taken as straight between two knots.
 * @param beyond mean distance of `live`'s values outside of the knots from the nearest knot, over all its values: cells do
 *   not know it
 * @param trim share of the values at either end that is left out, so that a few spikes, however high, count for little: the mean
 *   way is that of the others
 */
export function wasserstein(reference: CellWeights, live: ArrayLike<number>, beyond = 0, trim = 0): number {
  const { values, weights } = reference;
  const [total, count] = [sum(weights), sum(live)];
  const clip = (share: number): number => Math.max(trim, Math.min(1 - trim, share));
  let [now, before] = [0, 0];
  let distance = beyond === 0 ? 0 : beyond * shareKept(live, count, trim);
  let last = 0;
  for (let cell = 0; cell < weights.length - 1; cell++) {
    now += (live[cell] as number) / count;
    before += (weights[cell] as number) / total;
    const difference = clip(now) - clip(before);
    if (cell > 0 && cell % 2 === 0) {
      const width = (values[cell / 2] as number) - (values[cell / 2 - 1] as number);
      distance += width * area(last, difference);
    }
    last = difference;
  }
  return distance / (1 - 2 * trim);
}

/** Of the values outside of the knots: those above are the largest, those below the least of all. */
function shareKept(live: ArrayLike<number>, count: number, trim: number): number {
  const outside = [live[0] as number, live[live.length - 1] as number];
  const kept = outside.map((n) => Math.max(0, Math.min(n, (1 - trim) * count) - trim * count));
  return sum(kept) / Math.max(1, sum(outside));
}

/** Mean of |x| along a straight line from a to b. */
function area(a: number, b: number): number {
  if (a * b >= 0) return Math.abs(a + b) / 2;
  return (a * a + b * b) / (2 * (Math.abs(a) + Math.abs(b)));
}

const PSI_BINS = 10;
/** An empty bin counts as this share: the logarithm of 0 is of no use. */
const PSI_LEAST = 1e-4;

/**
 * Population stability index over ten bins of about equal share in the reference: sum of (p - q) ln(p / q). Custom has
 * it that below 0.1 nothing has changed, and above 0.25 much.
 */
export function stabilityIndex(reference: ArrayLike<number>, live: ArrayLike<number>): number {
  const [total, count] = [sum(reference), sum(live)];
  let index = 0;
  let [p, q, before] = [0, 0, 0];
  for (let cell = 0; cell < reference.length; cell++) {
    q += (reference[cell] as number) / total;
    p += (live[cell] as number) / count;
    const last = cell + 1 === reference.length;
    // A reference cell may be far larger than a tenth: a bin ends where the next tenth is passed.
    if (!last && before + q < (Math.floor(PSI_BINS * before + 1e-9) + 1) / PSI_BINS - 1e-9) continue;
    const [a, b] = [Math.max(p, PSI_LEAST), Math.max(q, PSI_LEAST)];
    index += (a - b) * ln(a / b);
    before += q;
    p = q = 0;
  }
  return index;
}

function sum(values: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i] as number;
  return total;
}
