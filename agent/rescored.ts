import { createDetector } from '../core/create-detector.ts';
import type { Detector } from '../core/detector.ts';
import type { Model } from '../core/model.ts';
import type { MetricSchema } from '../core/sample.ts';
import type { SampleRow } from './store/store.ts';

/** Beyond this many intervals without a sample, the windows say nothing about now (core/watcher.ts). */
const GAP_INTERVALS = 5;

/** Stored rows as a model sees them: its metrics in its order, and its own score (a stored one may be another model's). */
export class Rescored {
  /** Of the last row, in the model's schema order. */
  readonly values: Float64Array;
  readonly #model: Model;
  readonly #detector: Detector;
  readonly #positions: Int32Array;
  readonly #width: number;
  #lastMs = Number.NaN;

  constructor(model: Model, schema: MetricSchema) {
    this.#model = model;
    this.#detector = createDetector(model);
    this.#width = schema.length;
    this.#positions = Int32Array.from(model.schema, ({ name }) =>
      schema.findIndex((other) => other.name === name),
    );
    this.values = new Float64Array(model.schema.length);
  }

  /** Rows of another shape have no values. @returns the score */
  score(row: Pick<SampleRow, 'timeMs' | 'values'>): number {
    this.#take(row);
    return this.#detector.score(this.values);
  }

  /** Goes on without scoring, which is nearly all of the cost. @returns NaN */
  pass(row: Pick<SampleRow, 'timeMs' | 'values'>): number {
    this.#take(row);
    this.#detector.advance(this.values);
    return Number.NaN;
  }

  #take({ timeMs, values }: Pick<SampleRow, 'timeMs' | 'values'>): void {
    const elapsed = timeMs - this.#lastMs;
    if (elapsed > GAP_INTERVALS * this.#model.provenance.intervalMs || elapsed < 0) this.#detector.reset();
    this.#lastMs = timeMs;
    const known = values.length === this.#width;
    for (let i = 0; i < this.values.length; i++) {
      const position = this.#positions[i] as number;
      this.values[i] = known && position >= 0 ? (values[position] as number) : Number.NaN;
    }
  }
}
