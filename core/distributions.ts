import { quantileSorted, sortedFinite } from './math.ts';
import { REFERENCE_QUANTILES, type ReferenceDistributions } from './model.ts';
import type { MetricSchema } from './sample.ts';

/** The quantiles that a model keeps of a sorted sample; NaN where it is empty. */
export function quantiles(sorted: Float64Array): Float64Array {
  return Float64Array.from({ length: REFERENCE_QUANTILES }, (_, i) =>
    sorted.length === 0 ? Number.NaN : quantileSorted(sorted, i / (REFERENCE_QUANTILES - 1)),
  );
}

/** Quantiles and robust spread of each metric's training values. */
export function metricDistributions(
  schema: MetricSchema,
  columns: readonly Float64Array[],
  scales: Float64Array,
): Omit<ReferenceDistributions, 'score'> {
  const metrics = new Float64Array(schema.length * REFERENCE_QUANTILES);
  const spreads = new Float64Array(schema.length);
  columns.forEach((column, metric) => {
    const sorted = sortedFinite(column);
    metrics.set(quantiles(sorted), metric * REFERENCE_QUANTILES);
    const floor = Math.max(schema[metric]?.noiseFloor ?? 0, 1e-4 * (scales[metric] as number));
    if (sorted.length === 0) {
      spreads[metric] = floor;
      return;
    }
    const median = quantileSorted(sorted, 0.5);
    const mad = quantileSorted(sortedFinite(sorted.map((x) => Math.abs(x - median))), 0.5);
    spreads[metric] = Math.max(1.4826 * mad, floor);
  });
  return { metrics, spreads };
}
