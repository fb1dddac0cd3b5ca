import { exp, ln } from '../../core/math.ts';

/** Exact intervals and tests of counts, in constant time whatever the counts: they come from the network. */

export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** Standard normal quantile of 0.975. */
const Z_95 = 1.959963984540054;
const TAIL = 0.025;
const MOST_TERMS = 10_000;
const TINY = 1e-300;

/** Of a share, 95 % (Wilson 1927). 0 to 1 where nothing was counted. */
export function wilson(successes: number, of: number): Interval {
  if (!(of > 0)) return { low: 0, high: 1 };
  const p = successes / of;
  const z2 = Z_95 * Z_95;
  const middle = p + z2 / (2 * of);
  const half = Z_95 * Math.sqrt((p * (1 - p)) / of + z2 / (4 * of * of));
  const scale = 1 + z2 / of;
  return {
    low: successes === 0 ? 0 : Math.max(0, (middle - half) / scale),
    high: successes === of ? 1 : Math.min(1, (middle + half) / scale),
  };
}

/** Of a Poisson's mean, 95 %, exact (Garwood 1936). */
export function poissonInterval(count: number): Interval {
  const reach = count + 10 * Math.sqrt(count + 1) + 10;
  return {
    low: count === 0 ? 0 : root((mean) => atLeast(count, mean) - TAIL, 0, count),
    high: root((mean) => atLeast(count + 1, mean) - (1 - TAIL), count, reach),
  };
}

/**
 * P of so many or more events in `a`, if its rate were `ratio` times that of `b`: given their sum, they are binomial
 * (Przyborowski and Wilenski 1940).
 */
export function rateRatioP(a: CountOverTime, b: CountOverTime, ratio: number): number {
  if (a.count === 0) return 1;
  if (!(a.time > 0)) return 1;
  const share = (ratio * a.time) / (ratio * a.time + b.time);
  return share >= 1 ? 1 : binomialAtLeast(a.count, a.count + b.count, share);
}

export interface CountOverTime {
  readonly count: number;
  readonly time: number;
}

/** P(X >= k), X of n trials with chance p. */
export const binomialAtLeast = (k: number, n: number, p: number): number =>
  k <= 0 ? 1 : k > n ? 0 : betaRegularised(k, n - k + 1, p);

/** P(X >= k), X a Poisson of this mean: the regularised lower incomplete gamma function P(k, mean). */
function atLeast(k: number, mean: number): number {
  if (k <= 0) return 1;
  if (!(mean > 0)) return 0;
  const scale = exp(k * ln(mean) - mean - lnGamma(k + 1));
  if (mean < k + 1) {
    let [term, sum] = [1, 1];
    for (let i = 1; i < MOST_TERMS && term > sum * 1e-16; i++) {
      term *= mean / (k + i);
      sum += term;
    }
    return Math.min(1, scale * sum);
  }
  // Lentz's continued fraction for the upper function (Press et al., Numerical Recipes, 6.2).
  let b = mean + 1 - k;
  let c = 1 / TINY;
  let d = 1 / b;
  let h = d;
  for (let i = 1; i < MOST_TERMS; i++) {
    const an = -i * (i - k);
    b += 2;
    d = 1 / nonZero(an * d + b);
    c = nonZero(b + an / c);
    h *= d * c;
    if (Math.abs(d * c - 1) < 1e-15) break;
  }
  return Math.max(0, 1 - scale * k * h);
}

/** I_x(a, b) by Lentz's continued fraction (Press et al., Numerical Recipes, 6.4). */
function betaRegularised(a: number, b: number, x: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const front = exp(lnGamma(a + b) - lnGamma(a) - lnGamma(b) + a * ln(x) + b * ln(1 - x));
  const value =
    x < (a + 1) / (a + b + 2)
      ? (front * betaFraction(a, b, x)) / a
      : 1 - (front * betaFraction(b, a, 1 - x)) / b;
  return Math.min(1, Math.max(0, value));
}

function betaFraction(a: number, b: number, x: number): number {
  let c = 1;
  let d = 1 / nonZero(1 - ((a + b) * x) / (a + 1));
  let h = d;
  for (let m = 1; m < MOST_TERMS; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / nonZero(1 + even * d);
    c = nonZero(1 + even / c);
    h *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / nonZero(1 + odd * d);
    c = nonZero(1 + odd / c);
    h *= d * c;
    if (Math.abs(d * c - 1) < 1e-15) break;
  }
  return h;
}

const nonZero = (x: number): number => (Math.abs(x) < TINY ? TINY : x);

/** Lanczos's approximation (g = 7, nine terms), relative error below 1e-13 for x >= 1. */
const LANCZOS = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
  12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
];

function lnGamma(x: number): number {
  const t = x - 1 + 7.5;
  const sum = LANCZOS.reduce((all, term, i) => (i === 0 ? term : all + term / (x - 1 + i)), 0);
  return 0.9189385332046727 + (x - 0.5) * ln(t) - t + ln(sum);
}

/** Where an increasing function crosses 0, by bisection. */
function root(f: (x: number) => number, low: number, high: number): number {
  for (let i = 0; i < 200 && high - low > 1e-12 * high; i++) {
    const middle = (low + high) / 2;
    if (f(middle) < 0) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
