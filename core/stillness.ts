import { type Stepwise, VALUES_PER_STEP } from './features.ts';
import { REFERENCE_QUANTILES } from './model.ts';
import type { MetricSchema } from './sample.ts';

/** Which metrics were constant, and how long the others stood still at the most. */
export interface Stillness {
  /** Value of a metric that was constant in training; NaN for the others. */
  readonly constants: Float64Array;
  /** Distance from its constant that counts as having left it. */
  readonly tolerances: Float64Array;
  /** Longest run of identical values in training, in samples; 0: the stuck-sensor rule does not apply. */
  readonly longestRuns: Uint32Array;
}

/**
 * Standing there says nothing about a sensor: at zero nothing happens (no load, no traffic), and an end of its range
 * that a metric kept coming back to is where it rests.
 * @param metrics reference quantiles of all metrics, metrics x REFERENCE_QUANTILES
 */
export function isAtRest(metrics: Float64Array, metric: number, x: number): boolean {
  const first = metric * REFERENCE_QUANTILES;
  const last = first + REFERENCE_QUANTILES - 1;
  if (x === metrics[first]) return x === 0 || x === metrics[first + 1];
  if (x === metrics[last]) return x === 0 || x === metrics[last - 1];
  return x === 0;
}

/**
 * @param columns one array a metric, in time order, NaN where missing
 * @param days of history in them: after less than one, nobody knows how long a quiet host stands still
 */
export function* measureStillness(
  schema: MetricSchema,
  columns: readonly Float64Array[],
  scales: Float64Array,
  metrics: Float64Array,
  days: number,
): Stepwise<Stillness> {
  const constants = new Float64Array(schema.length).fill(Number.NaN);
  const tolerances = new Float64Array(schema.length);
  const longestRuns = new Uint32Array(schema.length);
  for (const [metric, column] of columns.entries()) {
    let low = Number.POSITIVE_INFINITY;
    let high = Number.NEGATIVE_INFINITY;
    let run = 0;
    let longest = 0;
    let last = Number.NaN;
    for (let t = 0; t < column.length; t++) {
      if (t % VALUES_PER_STEP === VALUES_PER_STEP - 1) yield;
      const x = column[t] as number;
      if (Number.isNaN(x)) continue;
      if (x < low) low = x;
      if (x > high) high = x;
      run = x === last ? run + 1 : 1;
      if (run > longest && !isAtRest(metrics, metric, x)) longest = run;
      last = x;
    }
    tolerances[metric] = Math.max(2 * (schema[metric]?.noiseFloor ?? 0), 0.01 * (scales[metric] as number));
    if (low === high) constants[metric] = low;
    // A metric that stood still for a tenth of its training time says nothing by standing still.
    else if (days >= 1 && longest * 10 < column.length) longestRuns[metric] = longest;
    yield;
  }
  return { constants, tolerances, longestRuns };
}
