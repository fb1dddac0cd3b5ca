import type { MetricSchema } from './sample.ts';

/**
 * Short-term features of one metric: z = (x - mean)/sd; m15, the trailing mean of z; e60 = x - EWMA(x), current
 * row included; s15, the trailing population standard deviation of z. The last three are standardised again.
 * Each is clipped to +-50. Batch and stream are one code path, hence equal bit for bit.
 */
export const FEATURES_PER_METRIC = 4;
const CLIP = 50;

export interface FeatureWindows {
  /** Trailing mean and deviation, in samples. */
  readonly short: number;
  /** Span of the EWMA, in samples: alpha = 2 / (long + 1). */
  readonly long: number;
}
export const DEFAULT_WINDOWS: FeatureWindows = { short: 15, long: 60 };

/** Affine statistics of a metric: [mean, sd] of x, then of m, e, s. Metric-major, 8 numbers each. */
export interface FeatureStatistics {
  readonly windows: FeatureWindows;
  readonly moments: Float64Array;
}
export const MOMENTS_PER_METRIC = 8;

/** Spread below this share of a metric's scale counts as constant. */
const CONSTANT_SHARE = 1e-6;

/** A full swing of each metric: the schema's, or the largest magnitude seen in training, or 1. */
export function* metricScales(
  schema: MetricSchema,
  columns: readonly Float64Array[],
): Stepwise<Float64Array> {
  const scales = new Float64Array(schema.length);
  for (const [i, { scale }] of schema.entries()) {
    let largest = 0;
    if (!(scale > 0)) {
      for (const x of columns[i] as Float64Array) {
        const magnitude = Math.abs(x);
        if (magnitude > largest) largest = magnitude;
      }
      yield;
    }
    scales[i] = scale > 0 ? scale : largest > 0 ? largest : 1;
  }
  return scales;
}

const clip = (x: number): number => (x > CLIP ? CLIP : x < -CLIP ? -CLIP : x);

/** The windows of all metrics, moved on by one sample at a time. */
export class FeatureStream {
  readonly #windows: FeatureWindows;
  readonly #moments: Float64Array;
  readonly #metrics: number;
  readonly #ring: Float64Array;
  readonly #filled: Uint16Array;
  readonly #position: Uint16Array;
  readonly #ewma: Float64Array;
  /** Features of the last sample, metric-major (z, m, e, s); NaN where the metric was missing. */
  readonly values: Float64Array;

  constructor(statistics: FeatureStatistics) {
    this.#windows = statistics.windows;
    this.#moments = statistics.moments;
    this.#metrics = statistics.moments.length / MOMENTS_PER_METRIC;
    this.#ring = new Float64Array(this.#metrics * this.#windows.short);
    this.#filled = new Uint16Array(this.#metrics);
    this.#position = new Uint16Array(this.#metrics);
    this.#ewma = new Float64Array(this.#metrics).fill(Number.NaN);
    this.values = new Float64Array(this.#metrics * FEATURES_PER_METRIC).fill(Number.NaN);
  }

  /** Forgets the windows: after a gap, what came before says nothing about now. */
  reset(): void {
    this.#filled.fill(0);
    this.#position.fill(0);
    this.#ewma.fill(Number.NaN);
  }

  /** Moves the windows on as `update` does; `values` stay as they were. */
  advance(sample: ArrayLike<number>): void {
    for (let metric = 0; metric < this.#metrics; metric++) {
      const x = sample[metric] as number;
      if (!Number.isNaN(x)) this.#push(metric, x);
    }
  }

  /** @returns z */
  #push(metric: number, x: number): number {
    const short = this.#windows.short;
    const m = metric * MOMENTS_PER_METRIC;
    const z = clip((x - (this.#moments[m] as number)) / (this.#moments[m + 1] as number));
    const position = this.#position[metric] as number;
    this.#ring[metric * short + position] = z;
    this.#position[metric] = position + 1 === short ? 0 : position + 1;
    const filled = this.#filled[metric] as number;
    if (filled < short) this.#filled[metric] = filled + 1;
    const before = this.#ewma[metric] as number;
    this.#ewma[metric] = Number.isNaN(before) ? x : before + (2 / (this.#windows.long + 1)) * (x - before);
    return z;
  }

  /** @param sample raw values in schema order. A missing value leaves its metric's windows as they were. */
  update(sample: ArrayLike<number>): Float64Array {
    const short = this.#windows.short;
    const k = this.#moments;
    const out = this.values;
    for (let metric = 0; metric < this.#metrics; metric++) {
      const x = sample[metric] as number;
      const o = metric * FEATURES_PER_METRIC;
      if (Number.isNaN(x)) {
        out[o] = out[o + 1] = out[o + 2] = out[o + 3] = Number.NaN;
        continue;
      }
      const m = metric * MOMENTS_PER_METRIC;
      const z = this.#push(metric, x);
      const base = metric * short;
      const filled = this.#filled[metric] as number;
      // Summed anew each time, in slot order: no drift over months, the same bits after a restart from history.
      let sum = 0;
      for (let i = 0; i < filled; i++) sum += this.#ring[base + i] as number;
      const mean = sum / filled;
      let squares = 0;
      for (let i = 0; i < filled; i++) {
        const d = (this.#ring[base + i] as number) - mean;
        squares += d * d;
      }
      out[o] = z;
      out[o + 1] = clip((mean - (k[m + 2] as number)) / (k[m + 3] as number));
      out[o + 2] = clip((x - (this.#ewma[metric] as number) - (k[m + 4] as number)) / (k[m + 5] as number));
      out[o + 3] = clip((Math.sqrt(squares / filled) - (k[m + 6] as number)) / (k[m + 7] as number));
    }
    return out;
  }
}

/** Running mean and standard deviation of finite values (Welford 1962): one pass, no cancellation. */
export class Moments {
  count = 0;
  mean = 0;
  #squares = 0;

  add(x: number): void {
    if (!Number.isFinite(x)) return;
    this.count++;
    const d = x - this.mean;
    this.mean += d / this.count;
    this.#squares += d * (x - this.mean);
  }

  get sd(): number {
    return this.count === 0 ? 0 : Math.sqrt(this.#squares / this.count);
  }
}

/** What a fit holds against the clock: it pauses at each `yield`, so that a sampler beside it is never late. */
export type Stepwise<T> = Generator<void, T, void>;
/** Rows a step where each is a look at 20 features, and where each is scored: a millisecond or two without a compiler. */
export const ROWS_PER_STEP = 32;
export const SCORED_ROWS_PER_STEP = 4;
/** Values a step where a value is a comparison or two. */
export const VALUES_PER_STEP = 8192;

/** Runs a stepwise computation to its end at once. */
export function runToEnd<T>(steps: Stepwise<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** Statistics from training rows, in two passes: those of x first, then those of the features they give. */
export function* fitFeatures(
  schema: MetricSchema,
  columns: readonly Float64Array[],
  windows: FeatureWindows = DEFAULT_WINDOWS,
  breaks: readonly number[] = [],
): Stepwise<FeatureStatistics> {
  const scales = yield* metricScales(schema, columns);
  const table = new Float64Array(schema.length * MOMENTS_PER_METRIC);
  for (let metric = 0; metric < schema.length; metric++) {
    const x = new Moments();
    let count = 0;
    for (const value of columns[metric] as Float64Array) {
      x.add(value);
      if (++count % VALUES_PER_STEP === 0) yield;
    }
    const least = Math.max(schema[metric]?.noiseFloor ?? 0, CONSTANT_SHARE * (scales[metric] as number));
    table.set([x.mean, Math.max(x.sd, least), 0, 1, 0, 1, 0, 1], metric * MOMENTS_PER_METRIC);
    yield;
  }
  const derived = Array.from({ length: schema.length * FEATURES_PER_METRIC }, () => new Moments());
  yield* forEachFeatureRow(
    { windows, moments: table },
    columns,
    (features) => {
      for (let i = 0; i < derived.length; i++) derived[i]?.add(features[i] as number);
    },
    breaks,
  );
  const out = Float64Array.from(table);
  for (let metric = 0; metric < schema.length; metric++) {
    const m = metric * MOMENTS_PER_METRIC;
    const sdX = table[m + 1] as number;
    for (let f = 1; f < FEATURES_PER_METRIC; f++) {
      const moment = derived[metric * FEATURES_PER_METRIC + f] as Moments;
      // e is in the metric's own unit, m and s in its standard deviations.
      const least =
        f === 2 ? Math.max(0.1 * (schema[metric]?.noiseFloor ?? 0), CONSTANT_SHARE * sdX) : DERIVED_FLOOR;
      out[m + 2 * f] = moment.mean;
      out[m + 2 * f + 1] = Math.max(moment.sd, least);
    }
  }
  return { windows, moments: out };
}

const DERIVED_FLOOR = 1e-3;

/**
 * Streams the columns through the pipeline; the array handed to `visit` is reused.
 * @param breaks rows (ascending) that do not continue the row before: the windows begin anew there
 */
export function* forEachFeatureRow(
  statistics: FeatureStatistics,
  columns: readonly Float64Array[],
  visit: (features: Float64Array, row: number, sample: Float64Array) => void,
  breaks: readonly number[] = [],
): Stepwise<void> {
  const metrics = columns.length;
  const rows = columns[0]?.length ?? 0;
  const stream = new FeatureStream(statistics);
  const sample = new Float64Array(metrics);
  let next = 0;
  for (let row = 0; row < rows; row++) {
    if (row === breaks[next]) {
      stream.reset();
      next++;
    }
    for (let metric = 0; metric < metrics; metric++)
      sample[metric] = (columns[metric] as Float64Array)[row] as number;
    visit(stream.update(sample), row, sample);
    if (row % ROWS_PER_STEP === ROWS_PER_STEP - 1) yield;
  }
}
