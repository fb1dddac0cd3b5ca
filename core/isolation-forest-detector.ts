import { CompactForest } from './compact-forest.ts';
import type { Detector } from './detector.ts';
import type { IsolationForestModel } from './model.ts';
import type { MetricSchema } from './sample.ts';
import { TreeShap } from './tree-shap.ts';

/**
 * The standard isolation forest behind the Detector seam: one input a metric, no windows. The score is 2^-x, which is
 * not additive; what is explained is the negated mean path length, so that pushing towards anomaly is positive.
 */
export class IsolationForestDetector implements Detector {
  readonly kind = 'isolation-forest';
  readonly schema: MetricSchema;
  readonly baseValue: number;
  readonly inputsPerMetric = 1;
  readonly #trees: number;
  readonly #compact: CompactForest;
  readonly #shap: TreeShap;
  readonly #fills: Float64Array;
  readonly #inputs: Float64Array;
  /** Row of the last score, which `contributions` explains. */
  readonly #scored: Float64Array;
  #explained = 0;

  constructor(model: Pick<IsolationForestModel, 'schema' | 'forest' | 'fills'>) {
    const { schema, forest, fills } = model;
    if (forest.features !== schema.length || fills.length !== schema.length) {
      throw new RangeError(
        `${schema.length} metrics, a forest of ${forest.features}, ${fills.length} fill values`,
      );
    }
    if (forest.trees.length === 0 || forest.rowsPerTree < 2) {
      throw new RangeError('a forest needs a tree, and each tree two rows');
    }
    this.schema = schema;
    this.#trees = forest.trees.length;
    this.#shap = new TreeShap(forest);
    this.#compact = new CompactForest(forest);
    this.#fills = Float64Array.from(fills);
    if (!this.#fills.every(Number.isFinite)) throw new RangeError('a fill value is not finite');
    this.#inputs = this.#fills.slice();
    this.#scored = this.#fills.slice();
    this.baseValue = -this.#shap.base;
    this.scoreInputs(this.#fills);
  }

  score(values: ArrayLike<number>): number {
    for (let i = 0; i < this.#inputs.length; i++) {
      const x = values[i] as number;
      this.#inputs[i] = Number.isNaN(x) ? (this.#fills[i] as number) : x;
    }
    return this.scoreInputs(this.#inputs);
  }

  /** No windows. */
  advance(): void {}

  inputs(): Float64Array {
    return this.#inputs;
  }

  scoreInputs(inputs: ArrayLike<number>): number {
    this.#scored.set(inputs);
    const sum = this.#compact.pathLengthSum(this.#scored);
    this.#explained = -sum / this.#trees;
    return this.#compact.scoreOf(sum);
  }

  explained(): number {
    return this.#explained;
  }

  contributions(out: Float64Array): void {
    this.#shap.explain(this.#scored, out);
    for (let i = 0; i < this.#scored.length; i++) out[i] = -(out[i] as number);
  }

  /** There are no windows to forget. */
  reset(): void {}
}
