import { exp } from '../math.ts';
import { kolmogorovTail } from './kolmogorov.ts';

/**
 * Two-sample Kolmogorov-Smirnov test. `greater`: the first sample's distribution function lies above the second's
 * (its values are smaller); `less`: below. The same names as scipy.stats.ks_2samp has.
 */
export type KsSide = 'two-sided' | 'greater' | 'less';

export interface KsStatistic {
  /** The larger of the two below, 0 to 1. */
  readonly d: number;
  /** Largest excess of the first sample's distribution function over the second's (D+). */
  readonly dGreater: number;
  /** Largest excess of the second sample's distribution function over the first's (D-). */
  readonly dLess: number;
  /** Lengths of the first and the second sample. */
  readonly n: number;
  readonly m: number;
}

export interface KsPValue {
  readonly p: number;
  readonly method: 'exact' | 'asymptotic';
}

/**
 * Up to this product of the two lengths p is exact, beyond it asymptotic: at most so many steps of the recursion
 * (some 0.1 s), and a band of about the share 2 D of them for a two-sided p.
 */
export const EXACT_STEPS = 25_000_000;

/**
 * @param a ascending and finite, not empty; so is b. Equal values, within a sample or across, are one step.
 */
export function ksStatistic(a: ArrayLike<number>, b: ArrayLike<number>): KsStatistic {
  const n = a.length;
  const m = b.length;
  if (n === 0 || m === 0) throw new RangeError('ksStatistic: a sample is empty');
  let i = 0;
  let j = 0;
  let greater = 0;
  let less = 0;
  while (i < n && j < m) {
    const x = Math.min(a[i] as number, b[j] as number);
    while (i < n && (a[i] as number) <= x) i++;
    while (j < m && (b[j] as number) <= x) j++;
    // In units of 1 / (n m), so that no rounding decides.
    const difference = i * m - j * n;
    if (difference > greater) greater = difference;
    else if (-difference > less) less = -difference;
  }
  const scale = n * m;
  return { d: Math.max(greater, less) / scale, dGreater: greater / scale, dLess: less / scale, n, m };
}

/**
 * p under the hypothesis of one continuous distribution and independent values. With ties it is conservative. Values of
 * a time series are not independent: core/drift/calibration.ts says what is used in its place.
 */
export function ksPValue(statistic: KsStatistic, side: KsSide = 'two-sided'): KsPValue {
  return statistic.n * statistic.m <= EXACT_STEPS
    ? { p: exactP(statistic, side), method: 'exact' }
    : { p: asymptoticP(statistic, side), method: 'asymptotic' };
}

function sideOf({ d, dGreater, dLess }: KsStatistic, side: KsSide): number {
  return side === 'two-sided' ? d : side === 'greater' ? dGreater : dLess;
}

/**
 * Share of the lattice paths from (0, 0) to (n, m) that touch a distance of at least D: the recursion of Hodges 1958
 * (Arkiv foer Matematik 3), in shares of the paths to each point, as R's psmirnov has it. Only positive terms are
 * added, so small p keep their digits. Points beyond the distance have a share of 1: only the band within is walked.
 */
export function exactP(statistic: KsStatistic, side: KsSide): number {
  const { n, m } = statistic;
  const divisor = greatestCommonDivisor(n, m);
  const stepN = m / divisor;
  const stepM = n / divisor;
  const limit = Math.round(sideOf(statistic, side) * n * stepN);
  if (limit <= 0) return 1;
  // Within: -below < i stepN - j stepM < above.
  const above = side === 'less' ? Number.POSITIVE_INFINITY : limit;
  const below = side === 'greater' ? Number.POSITIVE_INFINITY : limit;
  const row = new Float64Array(m + 1).fill(1);
  for (let i = 0; i <= n; i++) {
    const at = i * stepN;
    const first = Math.max(0, Math.floor((at - above) / stepM) + 1);
    const last = Math.min(m, Math.ceil((at + below) / stepM) - 1);
    if (first > 0) row[first - 1] = 1;
    for (let j = first; j <= last; j++) {
      const fromLeft = j === 0 ? 0 : (row[j - 1] as number);
      row[j] = i + j === 0 ? 0 : (i * (row[j] as number) + j * fromLeft) / (i + j);
    }
  }
  return Math.min(1, row[m] as number);
}

/**
 * Two-sided: Kolmogorov's limit with Stephens's correction for small samples (JRSS B 32, 1970). One-sided: Hodges 1958,
 * equation 5.3, as scipy has it.
 */
export function asymptoticP(statistic: KsStatistic, side: KsSide): number {
  const { n, m } = statistic;
  const d = sideOf(statistic, side);
  const root = Math.sqrt((n * m) / (n + m));
  if (side === 'two-sided') return kolmogorovTail((root + 0.12 + 0.11 / root) * d);
  const [large, small] = n > m ? [n, m] : [m, n];
  const z = root * d;
  const correction = (2 * z * (large + 2 * small)) / Math.sqrt(large * small * (large + small)) / 3;
  return Math.max(0, Math.min(1, exp(-2 * z * z - correction)));
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
