import { exp, ln } from '../math.ts';
import {
  KOLMOGOROV_MEAN,
  kolmogorovQuantile,
  kolmogorovTail,
  studentQuantile,
  studentTail,
} from './kolmogorov.ts';
import { type DriftReference, distanceOf, statisticOf } from './reference.ts';

/**
 * How often reference windows lie as far from their reference as a live one. Two distances are held against the spread that
 * they themselves have there: D, which sees every change of shape but ends at 1, and Wasserstein's, which keeps growing once all
 * values have moved. Either has the larger of two p-values: by a shape of which only the scale is taken from the reference, and by
 * Student's prediction interval from mean and spread of the reference windows (days unlike each other).
 */

export interface Significance {
  /** The smaller of both, doubled. */
  readonly p: number;
  /** D, and Wasserstein distance in the stream's unit, at which a stream alone would be over; infinite: not known. */
  readonly threshold: number;
  readonly shiftThreshold: number;
}

/** Both distances of a window and their thresholds; null or NaN: not known. */
interface Distances {
  readonly d: number | null;
  readonly threshold: number | null;
  readonly shift: number | null;
  readonly shiftThreshold: number | null;
}

/** The farther of both as a share of its threshold: above 1, a stream alone is over. 0 where neither is known. */
export const exceedanceOf = (it: Distances): number =>
  Math.max(ratioOf(it.d, it.threshold), ratioOf(it.shift, it.shiftThreshold));

/** The shift as a share of its threshold, where it is over and D is not; else null. */
export function overByShiftAlone({ d, threshold, shift, shiftThreshold }: Distances): number | null {
  const ratio = ratioOf(shift, shiftThreshold);
  return ratio > 1 && ratioOf(d, threshold) <= 1 ? ratio : null;
}

function ratioOf(x: number | null, threshold: number | null): number {
  const ratio = (x ?? Number.NaN) / (threshold ?? Number.NaN);
  return Number.isFinite(ratio) ? ratio : 0;
}

/** p-values are not believed below this: nobody has seen so many windows. */
const LEAST_P = 1e-12;

interface Null {
  /** Reference windows, not counting overlap. */
  readonly windows: number;
  /** Of their distances; NaN: the largest is not known. */
  readonly mean: number;
  readonly sd: number;
  readonly largest: number;
  /** P(distance > x) by the shape; its inverse. */
  readonly tail: (x: number) => number;
  readonly quantile: (p: number) => number;
}

/**
 * @param count values in the window
 * @param p at which a stream alone is over
 * @param leastD no D below counts
 */
export function significanceOf(
  reference: DriftReference,
  stream: number,
  { d, shift, count }: { readonly d: number; readonly shift: number; readonly count: number },
  p: number,
  leastD: number,
): Significance {
  const ofD = nullOfD(reference, stream, count);
  const ofShift = nullOfShift(reference, stream);
  const tests = ofShift === null ? 1 : 2;
  const farthest = farthestD(ofD);
  const pOfD = d > farthest ? LEAST_P : calibratedP(ofD, d);
  const pOfShift = ofShift === null ? 1 : calibratedP(ofShift, shift);
  return {
    p: Math.max(LEAST_P, Math.min(1, tests * Math.min(pOfD, pOfShift))),
    threshold: Math.max(leastD, Math.min(thresholdOf(ofD, p / tests), farthest)),
    shiftThreshold: ofShift === null ? Number.POSITIVE_INFINITY : thresholdOf(ofShift, p / tests),
  };
}

/**
 * Where reference windows are as far apart as can be, a window that has left nine tenths of the way to D = 1 behind it is
 * over, too, if it is farther than any of them: nearly nothing in it is known.
 */
function farthestD({ mean, largest }: Null): number {
  const most = mean + 0.9 * (1 - mean);
  return largest > most ? largest : most;
}

function calibratedP({ windows, mean, sd, largest, tail }: Null, x: number): number {
  if (!Number.isFinite(x)) return 1;
  const spread = predictionSpread(sd, windows);
  const own = spread > 0 ? studentTail((x - mean) / spread, windows - 1) : x > mean ? 0 : 1;
  return Math.max(tail(x), own, x <= largest ? seenP(windows) : 0);
}

function thresholdOf({ windows, mean, sd, largest, quantile }: Null, p: number): number {
  const spread = predictionSpread(sd, windows);
  const own = spread > 0 ? mean + spread * studentQuantile(p, windows - 1) : mean;
  return Math.max(quantile(p), own, largest > 0 && seenP(windows) > p ? largest : 0);
}

/** Of what lies no farther than some window of the reference: whatever the shapes say, it is not rarer than that. */
const seenP = (windows: number): number => 1 / (windows + 1);

/** Of one more window, whose distance from a mean of so many is to be foretold. */
const predictionSpread = (sd: number, windows: number): number => sd * Math.sqrt(1 + 1 / windows);

/**
 * D of a stretch of n independent values is Kolmogorov's K / sqrt(n). Autocorrelation leaves the shape about as it is and
 * stretches the scale, which the mean D of reference windows gives.
 */
function nullOfD(reference: DriftReference, stream: number, count: number): Null {
  const mean = statisticOf(reference, stream, 'meanD');
  const scale = Math.max(mean / KOLMOGOROV_MEAN, 1 / Math.sqrt(Math.max(1, count)));
  return {
    windows: windowsOf(reference, stream),
    mean,
    sd: statisticOf(reference, stream, 'sdD'),
    largest: distanceOf(reference, stream, 'largestD'),
    tail: (d) => kolmogorovTail(d / scale),
    quantile: (p) => scale * kolmogorovQuantile(p),
  };
}

/**
 * Where days differ by their level alone, the Wasserstein distance is the size of a normal value Z: of the shapes that it
 * comes in, the one with the heaviest tail for its mean. P(|Z| > z) <= exp(-z^2 / 2), and |Z| has the mean sqrt(2 / pi).
 * @returns null for the score, and where reference windows don't differ, or nobody knows by how much: D alone decides
 */
function nullOfShift(reference: DriftReference, stream: number): Null | null {
  // A score has no unit to move by: where a model fits no longer, its high end stretches beyond all measure at once.
  if (stream === reference.streams - 1) return null;
  const mean = distanceOf(reference, stream, 'meanShift');
  if (!(mean > 0)) return null;
  return {
    windows: windowsOf(reference, stream),
    mean,
    sd: distanceOf(reference, stream, 'sdShift'),
    largest: distanceOf(reference, stream, 'largestShift'),
    tail: (shift) => exp(-((shift / mean) * (shift / mean)) / Math.PI),
    quantile: (p) => mean * Math.sqrt(-Math.PI * ln(p)),
  };
}

const windowsOf = (reference: DriftReference, stream: number): number =>
  Math.max(2, statisticOf(reference, stream, 'windows'));
