import { FEATURES_PER_METRIC, FeatureStream } from './features.ts';
import { MetricForestsScorer } from './metric-forests.ts';
import type { Model } from './model.ts';
import type { MetricSchema } from './sample.ts';

/**
 * Detector: how strange is this sample? Implementations: metric-forests, isolation-forest.
 *
 * Contract:
 * - `score` sees samples in time order, moves its windows on and never learns: same samples, same bits, on every
 *   machine. Higher is stranger. A missing value (NaN) adds nothing to the score.
 * - `inputs` are what the last score was computed from; `scoreInputs` of the same model gives the same bits, with no
 *   history.
 * - `contributions` are exact Shapley values of the last score: they add up to score - baseValue.
 * - `reset` forgets the windows (after a gap), not the model.
 */
export interface Detector {
  readonly kind: 'metric-forests' | 'isolation-forest';
  readonly schema: MetricSchema;
  readonly baseValue: number;
  /** Inputs per metric. */
  readonly inputsPerMetric: number;
  score(values: ArrayLike<number>): number;
  inputs(): Float64Array;
  scoreInputs(inputs: ArrayLike<number>): number;
  contributions(out: Float64Array): void;
  reset(): void;
}

export class MetricForestsDetector implements Detector {
  readonly kind = 'metric-forests';
  readonly schema: MetricSchema;
  readonly baseValue: number;
  readonly inputsPerMetric = FEATURES_PER_METRIC;
  readonly #features: FeatureStream;
  readonly #scorer: MetricForestsScorer;

  constructor(model: Pick<Model, 'schema' | 'features' | 'forests'>) {
    this.schema = model.schema;
    this.#features = new FeatureStream(model.features);
    this.#scorer = new MetricForestsScorer(model.forests);
    this.baseValue = this.#scorer.baseValue;
  }

  score(values: ArrayLike<number>): number {
    return this.#scorer.score(this.#features.update(values));
  }

  inputs(): Float64Array {
    return this.#features.values;
  }

  scoreInputs(inputs: ArrayLike<number>): number {
    return this.#scorer.score(inputs);
  }

  contributions(out: Float64Array): void {
    this.#scorer.contributions(out);
  }

  reset(): void {
    this.#features.reset();
  }
}
