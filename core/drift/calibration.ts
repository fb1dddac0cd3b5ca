import { type Stepwise, VALUES_PER_STEP } from '../features.ts';
import { medianDeviation, sortedFinite } from '../math.ts';
import type { Provenance } from '../model.ts';
import { Random } from '../random.ts';
import type { MetricSchema } from '../sample.ts';
import { wasserstein } from './distance.ts';
import { type Block, leaveOneOut } from './leave-one-out.ts';
import {
  BLOCKS_PER_WINDOW,
  CELLS,
  chooseKnots,
  countCells,
  countSorted,
  DAY_MS,
  DISTANCES,
  type DriftReference,
  KNOTS,
  knotsOf,
  MOST_SLOTS,
  PARTS,
  SETTLED_SPAN_MS,
  STATISTIC,
  STATISTICS,
  TRIM,
} from './reference.ts';
import { findWeekend } from './weekend.ts';

/**
 * Fits the reference of drift: knots, counts, and how far reference windows lie from the rest of the reference. That
 * spread, not the p-value of a test for independent values, is what live windows are held against: it contains
 * autocorrelation, the day's course and the host's own restlessness.
 */

export interface DriftTraining {
  /** One array a stream (the metrics in schema order, then the score), in time order, NaN where missing. */
  readonly columns: readonly ArrayLike<number>[];
  /** Unix milliseconds of a row. Backwards: another host begins. */
  readonly timeOf: (row: number) => number;
  readonly intervalMs: number;
  /** Shift that is of no interest to anybody, one a stream. */
  readonly leastEffects: ArrayLike<number>;
  /** Windows shall be no longer, where there are shorter ones: what is held against them is short. */
  readonly longestWindowMs?: number;
}

const HOUR_MS = 3_600_000;
const WINDOWS_MS = [DAY_MS, 12 * HOUR_MS, 6 * HOUR_MS, 3 * HOUR_MS, HOUR_MS];
/** Windows side by side that the reference must hold for their spread to be known. */
const LEAST_WINDOWS = 5;
/** Samples that a window must hold. */
export const LEAST_SAMPLES = 20;
/** Below this there is no reference: five windows of an hour. */
export const LEAST_SPAN_MS = LEAST_WINDOWS * HOUR_MS;
/** Share of its rows that a block must hold. */
const LEAST_FILLED = 0.5;
/** How much closer reference windows must lie to their own kind of day for the weekend to be told apart. */
const WEEKLY_GAIN = 0.75;
/** A value with this share of the reference is where the metric rests: standing there says nothing of its sensor. */
export const REST_SHARE = 0.01;

/** @returns null where the history is too short: five windows of an hour at the least */
export function* fitDriftReference(training: DriftTraining): Stepwise<DriftReference | null> {
  const { columns, timeOf, intervalMs } = training;
  const rows = columns[0]?.length ?? 0;
  const spanMs = rows * intervalMs;
  const windowMs = windowLength(training, spanMs);
  if (windowMs === null) return null;
  const every = slotSamples(windowMs, intervalMs);
  const chosen = yield* chooseRows(rows, every);
  const blockMs = windowMs / BLOCKS_PER_WINDOW;
  const cuts = yield* cutBlocks(chosen, timeOf, blockMs, (LEAST_FILLED * blockMs) / (every * intervalMs));

  const reference = {
    windowMs,
    slotMs: every * intervalMs,
    weekendMs: Number.NaN,
    spanMs,
    streams: columns.length,
    knots: new Float64Array(columns.length * KNOTS).fill(Number.NaN),
    weights: new Uint32Array(columns.length * PARTS * CELLS),
    statistics: new Float64Array(columns.length * STATISTICS),
    distances: new Float64Array(columns.length * DISTANCES),
  };
  const blocks: Block[][] = [];
  for (const [stream, column] of columns.entries()) {
    const values = new Float64Array(chosen.length);
    for (let i = 0; i < chosen.length; i++) {
      values[i] = column[chosen[i] as number] as number;
      if (i % VALUES_PER_STEP === VALUES_PER_STEP - 1) yield;
    }
    yield;
    const sorted = sortedFinite(values);
    yield;
    const knots = chooseKnots(sorted);
    reference.knots.set(knots, stream * KNOTS);
    const own: Block[] = [];
    for (const { index, from, to } of cuts) {
      own.push({ index, counts: countCells(values.subarray(from, to), knots) });
      yield;
    }
    blocks.push(own);
    const total = countSorted(sorted, knots);
    reference.weights.set(total, stream * PARTS * CELLS);
    const at = stream * STATISTICS;
    reference.statistics[at + STATISTIC.missing] = 1 - sorted.length / Math.max(1, values.length);
    reference.statistics[at + STATISTIC.spread] = robustSpread(sorted);
    reference.statistics[at + STATISTIC.leastEffect] = training.leastEffects[stream] as number;
    yield;
    const longest = yield* longestRun(column, knots, total);
    reference.statistics[at + STATISTIC.longestRunMs] = longest * intervalMs;
  }

  const weekend =
    windowMs === DAY_MS && spanMs >= SETTLED_SPAN_MS ? yield* findWeekend(blocks, blockMs) : null;
  for (const [stream, own] of blocks.entries()) {
    let distances = yield* leaveOneOut(own, () => 0);
    let partOf: (index: number) => number = () => 0;
    if (weekend !== null) {
      const apart = yield* leaveOneOut(own, weekend.partOf);
      if (mean(apart) < WEEKLY_GAIN * mean(distances)) {
        distances = apart;
        partOf = weekend.partOf;
        splitWeights(reference.weights, stream, own, weekend.partOf);
        reference.statistics[stream * STATISTICS + STATISTIC.weekly] = 1;
        reference.weekendMs = weekend.startMs;
      }
    }
    const at = stream * STATISTICS;
    reference.statistics[at + STATISTIC.meanD] = distances.length === 0 ? 0 : mean(distances);
    reference.statistics[at + STATISTIC.sdD] = deviation(distances);
    // They overlap by half.
    reference.statistics[at + STATISTIC.windows] = Math.floor((distances.length + 1) / 2);
    yield;
    const values = knotsOf(reference, stream);
    const shifts = yield* leaveOneOut(own, partOf, (window, weights) =>
      wasserstein({ values, weights }, window, 0, TRIM),
    );
    reference.distances.set(
      [Math.max(0, ...distances), mean(shifts), deviation(shifts), Math.max(0, ...shifts)],
      stream * DISTANCES,
    );
    yield;
  }
  return reference;
}

function windowLength({ intervalMs, longestWindowMs }: DriftTraining, spanMs: number): number | null {
  const fit = WINDOWS_MS.filter(
    (length) => spanMs >= LEAST_WINDOWS * length && length >= LEAST_SAMPLES * intervalMs,
  );
  const longest = longestWindowMs ?? Number.POSITIVE_INFINITY;
  return fit.find((length) => length <= longest) ?? fit.at(-1) ?? null;
}

/** The reference of a model's metrics and its score. @param timesMs of the rows; null: steady from the beginning */
export function* modelDrift(
  schema: MetricSchema,
  columns: readonly Float64Array[],
  { trainedFromMs, intervalMs }: Pick<Provenance, 'trainedFromMs' | 'intervalMs'>,
  timesMs: ArrayLike<number> | null,
): Stepwise<DriftReference | null> {
  return yield* fitDriftReference({
    columns,
    timeOf: (row) => timesMs?.[row] ?? trainedFromMs + row * intervalMs,
    intervalMs,
    leastEffects: [...schema.map(({ noiseFloor }) => noiseFloor), 0],
  });
}

/** Samples of which one enters a window, so that it holds at most MOST_SLOTS. */
export function slotSamples(windowMs: number, intervalMs: number): number {
  return Math.max(1, Math.ceil(windowMs / (intervalMs * MOST_SLOTS) - 1e-9));
}

/** One row in every `every`, at random within them: at equal distances, a job each minute could always be missed. */
function* chooseRows(rows: number, every: number): Stepwise<Uint32Array> {
  const random = new Random(1);
  const chosen = new Uint32Array(Math.floor(rows / every));
  for (let i = 0; i < chosen.length; i++) {
    chosen[i] = i * every + random.below(every);
    if (i % VALUES_PER_STEP === VALUES_PER_STEP - 1) yield;
  }
  return chosen;
}

interface Cut {
  readonly index: number;
  readonly from: number;
  readonly to: number;
}

/** Where the chosen rows change from one block of time to another; blocks with too few rows are left out. */
function* cutBlocks(
  chosen: Uint32Array,
  timeOf: (row: number) => number,
  blockMs: number,
  least: number,
): Stepwise<Cut[]> {
  const cuts: Cut[] = [];
  let from = 0;
  let index = Number.NaN;
  for (let i = 0; i <= chosen.length; i++) {
    if (i % VALUES_PER_STEP === VALUES_PER_STEP - 1) yield;
    const own = i < chosen.length ? Math.floor(timeOf(chosen[i] as number) / blockMs) : Number.NaN;
    if (own === index) continue;
    if (i > 0 && i - from >= least) cuts.push({ index, from, to: i });
    from = i;
    index = own;
  }
  yield;
  return cuts;
}

function splitWeights(
  weights: Uint32Array,
  stream: number,
  blocks: readonly Block[],
  partOf: (index: number) => number,
): void {
  const at = stream * PARTS * CELLS;
  weights.fill(0, at, at + PARTS * CELLS);
  for (const { index, counts } of blocks) {
    const first = at + partOf(index) * CELLS;
    for (let cell = 0; cell < counts.length; cell++) {
      weights[first + cell] = (weights[first + cell] as number) + (counts[cell] as number);
    }
  }
}

/** Median absolute deviation times 1.4826. */
export const robustSpread = (sorted: Float64Array): number => 1.4826 * medianDeviation(sorted);

/** Longest run of one value, in rows, values at which the metric rests left out. */
function* longestRun(column: ArrayLike<number>, knots: Float64Array, total: Uint32Array): Stepwise<number> {
  const all = total.reduce((sum, count) => sum + count, 0);
  const resting = new Set<number>();
  knots.forEach((x, i) => {
    if ((total[2 * i + 1] as number) >= REST_SHARE * all) resting.add(x);
  });
  let longest = 0;
  let run = 0;
  let last = Number.NaN;
  for (let row = 0; row < column.length; row++) {
    if (row % VALUES_PER_STEP === VALUES_PER_STEP - 1) yield;
    const x = column[row] as number;
    if (Number.isNaN(x)) continue;
    run = x === last ? run + 1 : 1;
    last = x;
    if (run > longest && !resting.has(x)) longest = run;
  }
  yield;
  return longest;
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, x) => sum + x, 0) / Math.max(1, values.length);

function deviation(values: readonly number[]): number {
  if (values.length < 2) return 0;
  const centre = mean(values);
  return Math.sqrt(values.reduce((sum, x) => sum + (x - centre) * (x - centre), 0) / (values.length - 1));
}
