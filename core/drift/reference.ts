import { type CellWeights, cellOf } from './sliding-ks.ts';

/**
 * What a model keeps of its training distributions, one stream a metric in schema order and then the score, so that
 * drift can be measured against them: up to 255 knots a stream and the count in each of their cells.
 *
 * A D taken at the knots is never larger than the D against all training values, and smaller by at most the share of
 * training values that lies strictly between two neighbouring knots: 1/254 (0 where there are at most 255 distinct values).
 */
export interface DriftReference {
  /** Length of the windows that are compared; a decision is taken every half. */
  readonly windowMs: number;
  /** One value in so many milliseconds enters a window. */
  readonly slotMs: number;
  /** Where the 48 hours a week begin that have a distribution of their own, from Thursday 00:00 UTC; NaN: none. */
  readonly weekendMs: number;
  /** Of the training rows, first to last, gaps not counted. */
  readonly spanMs: number;
  readonly streams: number;
  /** streams x KNOTS, ascending within a stream, NaN behind its last. */
  readonly knots: Float64Array;
  /** streams x PARTS x CELLS: counts on ordinary days, then at the weekend. */
  readonly weights: Uint32Array;
  /** streams x STATISTICS, at the places below. */
  readonly statistics: Float64Array;
  /**
   * streams x DISTANCES, at the places below; NaN where they are not known: models from before there were any, where D alone
   * decides.
   */
  readonly distances: Float64Array;
}

export const KNOTS = 255;
export const CELLS = 2 * KNOTS + 1;
/** Ordinary days and the weekend. */
export const PARTS = 2;

/** Places in a stream's statistics. */
export const STATISTIC = {
  /** Mean and standard deviation of D of each reference window against the rest of the reference. */
  meanD: 0,
  sdD: 1,
  /** Such windows, not counting overlap. */
  windows: 2,
  /** 1 where the weekend has a distribution of its own. */
  weekly: 3,
  /** Share of training rows without a value. */
  missing: 4,
  /** Median absolute deviation times 1.4826. */
  spread: 5,
  /** A shift below this is of no interest to anybody, in the metric's unit. */
  leastEffect: 6,
  /** Longest time at one value that is not a resting place, in ms. */
  longestRunMs: 7,
} as const;
export const STATISTICS = 8;

/** Places in a stream's distances: of each reference window from the rest of the reference, beside mean and SD of D. */
export const DISTANCE = {
  largestD: 0,
  /** Of the Wasserstein distance (TRIM left out), in the metric's unit. */
  meanShift: 1,
  sdShift: 2,
  largestShift: 3,
} as const;
export const DISTANCES = 4;

/** Share of a window's values at either end that has no part in how far it has moved: a few spikes are no drift. */
export const TRIM = 0.05;
export type Statistic = keyof typeof STATISTIC;

export const DAY_MS = 86_400_000;
export const WEEK_MS = 7 * DAY_MS;
export const WEEKEND_MS = 2 * DAY_MS;
/** A window has so many blocks; a decision is taken every second one. */
export const BLOCKS_PER_WINDOW = 4;
/** History for windows of whole days that see both kinds of day twice. */
export const SETTLED_SPAN_MS = 12 * DAY_MS;
/** Values of a window: D of so many independent ones has a spread of 0.02, a fifth of the least D that counts. */
export const MOST_SLOTS = 2880;

/** Decisions by this reference are provisional: it saw no two weeks, or compares windows shorter than a day. */
export const isProvisional = (reference: DriftReference): boolean =>
  reference.windowMs < DAY_MS || reference.spanMs < SETTLED_SPAN_MS;

export function statisticOf(reference: DriftReference, stream: number, statistic: Statistic): number {
  return reference.statistics[stream * STATISTICS + STATISTIC[statistic]] as number;
}

/** @returns NaN where not known */
export function distanceOf(reference: DriftReference, stream: number, which: keyof typeof DISTANCE): number {
  return reference.distances[stream * DISTANCES + DISTANCE[which]] as number;
}

/** The knots of a stream, without the padding. */
export function knotsOf(reference: DriftReference, stream: number): Float64Array {
  const all = reference.knots.subarray(stream * KNOTS, (stream + 1) * KNOTS);
  const end = all.findIndex(Number.isNaN);
  return end < 0 ? all : all.subarray(0, end);
}

/** Counts in the cells of a stream's knots; of both parts together where none is named. */
export function partWeights(reference: DriftReference, stream: number, part?: number): Float64Array {
  const cells = 2 * knotsOf(reference, stream).length + 1;
  const at = (of: number): number => (stream * PARTS + of) * CELLS;
  return Float64Array.from({ length: cells }, (_, cell) => {
    if (part !== undefined) return reference.weights[at(part) + cell] as number;
    return (reference.weights[at(0) + cell] as number) + (reference.weights[at(1) + cell] as number);
  });
}

/**
 * The reference of a window of which this share lies in the weekend: both parts in that proportion; all of the training
 * where the weekend is like other days.
 */
export function expectedWeights(
  reference: DriftReference,
  stream: number,
  weekendShare: number,
): CellWeights {
  const values = knotsOf(reference, stream);
  const parts = weeklyParts(reference, stream);
  if (parts === null) return { values, weights: partWeights(reference, stream) };
  return { values, weights: mixedWeights(...parts, weekendShare) };
}

/** Ordinary days and weekend, where a stream tells them apart. */
export function weeklyParts(
  reference: DriftReference,
  stream: number,
): [ordinary: Float64Array, weekend: Float64Array] | null {
  if (statisticOf(reference, stream, 'weekly') !== 1) return null;
  return [partWeights(reference, stream, 0), partWeights(reference, stream, 1)];
}

/** Both parts in proportion, as shares of 1; one alone in counts, which keep D exact. */
export function mixedWeights(ordinary: Float64Array, weekend: Float64Array, share: number): Float64Array {
  if (share <= 0) return ordinary;
  if (share >= 1) return weekend;
  const sum = (weights: Float64Array): number => weights.reduce((total, weight) => total + weight, 0);
  const [a, b] = [(1 - share) / sum(ordinary), share / sum(weekend)];
  return ordinary.map((weight, cell) => a * weight + b * (weekend[cell] as number));
}

/** Share of a time span that lies in the 48 hours a week that begin at `weekendMs`. */
export function weekendShare(weekendMs: number, fromMs: number, toMs: number): number {
  if (Number.isNaN(weekendMs) || toMs <= fromMs) return 0;
  const until = (timeMs: number): number => {
    const since = timeMs - weekendMs;
    const weeks = Math.floor(since / WEEK_MS);
    return weeks * WEEKEND_MS + Math.min(WEEKEND_MS, since - weeks * WEEK_MS);
  };
  return (until(toMs) - until(fromMs)) / (toMs - fromMs);
}

/** Up to KNOTS values of a sorted sample that cut it into equal shares; all distinct ones where they are few. */
export function chooseKnots(sorted: Float64Array): Float64Array {
  const distinct: number[] = [];
  for (let at = 0; at < sorted.length && distinct.length <= KNOTS; ) {
    const x = sorted[at] as number;
    distinct.push(x);
    at = firstOver(sorted, x, at);
  }
  if (distinct.length <= KNOTS) return Float64Array.from(distinct);
  const knots: number[] = [];
  for (let i = 0; i < KNOTS; i++) {
    const x = sorted[Math.round((i * (sorted.length - 1)) / (KNOTS - 1))] as number;
    if (x !== knots.at(-1)) knots.push(x);
  }
  return Float64Array.from(knots);
}

/** How many of the values lie in each cell; what is missing is left out. */
export function countCells(values: ArrayLike<number>, knots: Float64Array): Uint32Array {
  const counts = new Uint32Array(2 * knots.length + 1);
  for (let i = 0; i < values.length; i++) {
    const x = values[i] as number;
    if (Number.isNaN(x)) continue;
    const cell = cellOf(knots, x);
    counts[cell] = (counts[cell] as number) + 1;
  }
  return counts;
}

/** The same of a sorted sample, in O(knots log values). */
export function countSorted(sorted: Float64Array, knots: Float64Array): Uint32Array {
  const counts = new Uint32Array(2 * knots.length + 1);
  let before = 0;
  for (const [i, knot] of knots.entries()) {
    let at = before;
    for (let end = sorted.length; at < end; ) {
      const middle = (at + end) >> 1;
      if ((sorted[middle] as number) < knot) at = middle + 1;
      else end = middle;
    }
    counts[2 * i] = at - before;
    before = firstOver(sorted, knot, at);
    counts[2 * i + 1] = before - at;
  }
  counts[2 * knots.length] = sorted.length - before;
  return counts;
}

/** Place of the first value above x, at `from` or later. */
function firstOver(sorted: Float64Array, x: number, from: number): number {
  let low = from;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] as number) <= x) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * A distribution of which only equally spaced quantiles are known: between two neighbours lies one share, nothing below the
 * first and above the last. D taken at it is off by at most the distance of two quantiles.
 * @param quantiles ascending; 0, 1/(n-1), … 1; NaN where there were no values: then without knots
 */
export function quantileCells(quantiles: ArrayLike<number>): CellWeights {
  const sorted = Array.from(quantiles);
  if (sorted.some(Number.isNaN)) return { values: new Float64Array(0), weights: new Float64Array(1) };
  const values = Float64Array.from(new Set(sorted));
  const weights = new Float64Array(2 * values.length + 1);
  // Equal neighbours: the share between them is at the value itself.
  for (const [i, x] of sorted.entries()) {
    if (i === 0) continue;
    const cell = sorted[i - 1] === x ? cellOf(values, x) : cellOf(values, x) - 1;
    weights[cell] = (weights[cell] as number) + 1;
  }
  return { values, weights };
}
