import type { Stepwise } from './features.ts';
import { medianDeviation, quantileSorted, sortedFinite } from './math.ts';
import { REFERENCE_QUANTILES, type ReferenceDistributions } from './model.ts';
import type { MetricSchema } from './sample.ts';

/** The quantiles that a model keeps of a sorted sample; NaN where it is empty. */
export function quantiles(sorted: Float64Array): Float64Array {
  return Float64Array.from({ length: REFERENCE_QUANTILES }, (_, i) =>
    sorted.length === 0 ? Number.NaN : quantileSorted(sorted, i / (REFERENCE_QUANTILES - 1)),
  );
}

/** Quantiles and robust spread of each metric's training values. */
export function* metricDistributions(
  schema: MetricSchema,
  columns: readonly Float64Array[],
  scales: Float64Array,
): Stepwise<Omit<ReferenceDistributions, 'score'>> {
  const metrics = new Float64Array(schema.length * REFERENCE_QUANTILES);
  const spreads = new Float64Array(schema.length);
  for (const [metric, column] of columns.entries()) {
    const sorted = sortedFinite(column);
    yield;
    metrics.set(quantiles(sorted), metric * REFERENCE_QUANTILES);
    const floor = Math.max(schema[metric]?.noiseFloor ?? 0, 1e-4 * (scales[metric] as number));
    yield;
    spreads[metric] = Math.max(1.4826 * medianDeviation(sorted), floor);
  }
  return { metrics, spreads };
}
