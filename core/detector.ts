import { FEATURES_PER_METRIC, FeatureStream } from './features.ts';
import { MetricForestsScorer } from './metric-forests.ts';
import type { MetricForestsModel } from './model.ts';
import type { MetricSchema } from './sample.ts';

/**
 * Detector: how strange is this sample? Implementations: metric-forests, isolation-forest.
 *
 * Contract:
 * - `score` sees samples in time order, moves its windows on and never learns: same samples, same bits, on every
 *   machine. Higher is stranger, and it is finite. A missing value (NaN) is not evidence of anything: metric-forests
 *   leaves its metric out, isolation-forest puts the fill value in its place.
 * - `inputs` are what the last score was computed from, valid until the next; `scoreInputs` of the same model gives
 *   the same bits, with no history, and moves no window.
 * - `explained` is the quantity behind the last score (of either kind) that is additive, higher being stranger:
 *   metric-forests' is the score itself, isolation-forest's the negated mean path length. `contributions` are its
 *   exact Shapley values, one a metric: they add up to explained() - baseValue.
 * - `reset` forgets the windows (after a gap), not the model.
 */
export interface Detector {
  readonly kind: 'metric-forests' | 'isolation-forest';
  readonly schema: MetricSchema;
  readonly baseValue: number;
  /** Inputs per metric. */
  readonly inputsPerMetric: number;
  score(values: ArrayLike<number>): number;
  /** Moves the windows on as `score` does, without its cost; the next score is the same. */
  advance(values: ArrayLike<number>): void;
  inputs(): Float64Array;
  scoreInputs(inputs: ArrayLike<number>): number;
  explained(): number;
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
  #score: number;

  constructor(model: Pick<MetricForestsModel, 'schema' | 'features' | 'forests'>) {
    this.schema = model.schema;
    this.#features = new FeatureStream(model.features);
    this.#scorer = new MetricForestsScorer(model.forests);
    this.baseValue = this.#scorer.baseValue;
    this.#score = this.baseValue;
  }

  score(values: ArrayLike<number>): number {
    return this.scoreInputs(this.#features.update(values));
  }

  advance(values: ArrayLike<number>): void {
    this.#features.advance(values);
  }

  inputs(): Float64Array {
    return this.#features.values;
  }

  scoreInputs(inputs: ArrayLike<number>): number {
    this.#score = this.#scorer.score(inputs);
    return this.#score;
  }

  explained(): number {
    return this.#score;
  }

  contributions(out: Float64Array): void {
    this.#scorer.contributions(out);
  }

  reset(): void {
    this.#features.reset();
  }
}
