import { exp, ln } from '../math.ts';

/** Tails of the distributions that drift is judged by, from core/math.ts alone: the same bits everywhere. */

/** Mean of Kolmogorov's distribution: sqrt(pi/2) ln 2. */
export const KOLMOGOROV_MEAN = 0.8687311606361592;

/**
 * P(K > x) for Kolmogorov's limiting distribution. The alternating series converges fast for large x, its theta
 * transform for small; both reach double precision where they are used.
 */
export function kolmogorovTail(x: number): number {
  // Below, 1 less than the last bit; and the transform divides by x.
  if (!(x > 0.1)) return 1;
  if (x < 1) {
    const step = exp(-(Math.PI * Math.PI) / (8 * x * x));
    let sum = 0;
    for (let k = 1; k <= 9; k += 2) sum += power(step, k * k);
    return 1 - (Math.sqrt(2 * Math.PI) / x) * sum;
  }
  let sum = 0;
  for (let k = 1; k <= 6; k++) sum += (k % 2 === 1 ? 1 : -1) * exp(-2 * k * k * x * x);
  return Math.max(0, Math.min(1, 2 * sum));
}

function power(x: number, n: number): number {
  return x > 0 ? exp(n * ln(x)) : 0;
}

/** The x with P(K > x) = p, by bisection. */
export function kolmogorovQuantile(p: number): number {
  return bisect(kolmogorovTail, p, 8);
}

/** With so many, quantiles down to p = 1e-6 lie within 0.02 of the normal distribution's. */
const MOST_DEGREES = 2000;

/**
 * P(T > t) of Student's distribution, for an even number of degrees of freedom: there it is a finite sum (Abramowitz
 * and Stegun 26.7.4) without transcendental functions. Odd ones are rounded down, to the heavier tail; so are those above
 * MOST_DEGREES: an artifact's number of windows may be 1e300, and a sum of so many terms never ends.
 */
export function studentTail(t: number, degrees: number): number {
  const even = Math.max(2, 2 * Math.floor(Math.min(degrees, MOST_DEGREES) / 2));
  if (t < 0) return 1 - studentTail(-t, even);
  // Less than 1e-16, and the square of t might not be finite.
  if (t > 1e8) return 0;
  const cos2 = even / (even + t * t);
  let term = 1;
  let sum = 1;
  for (let k = 2; k < even; k += 2) {
    term *= (cos2 * (k - 1)) / k;
    sum += term;
  }
  return Math.max(0, 0.5 * (1 - (t / Math.sqrt(even + t * t)) * sum));
}

/** The t with P(T > t) = p, for p up to a half. */
export function studentQuantile(p: number, degrees: number): number {
  return bisect((t) => studentTail(t, degrees), p, 1e4);
}

/** x in 0 .. most where a falling function passes p. */
function bisect(tail: (x: number) => number, p: number, most: number): number {
  let low = 0;
  let high = most;
  for (let i = 0; i < 64; i++) {
    const middle = (low + high) / 2;
    if (tail(middle) > p) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
