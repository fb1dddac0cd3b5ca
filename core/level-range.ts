/**
 * The rule for what neither trigger sees: a metric that creeps away. Its level, a trailing mean of a quarter of an
 * hour, is held against the range that it had in training, with a margin. Both triggers ask for a change against the
 * last minutes or hours; a slow ramp has none.
 */

const DAY_MS = 86_400_000;
/** A range of less than a day lacks the day's cycle, and says nothing. */
const LEAST_HISTORY_MS = DAY_MS;
const SPAN_MS = 15 * 60_000;
const LEAST_SPAN_SAMPLES = 15;
const MOST_SPAN_SAMPLES = 9000;
/** Beyond its range by this share of the range, at the least. */
const LEAST_MARGIN = 0.25;

export interface LevelRanges {
  /** Span of the trailing mean, in samples: an EWMA with alpha = 2 / (span + 1). */
  readonly span: number;
  /** Range of each metric's level in training; NaN: the rule does not apply. */
  readonly lows: Float64Array;
  readonly highs: Float64Array;
  /** Share of its range that a level must be beyond it. */
  readonly margins: Float64Array;
}

export const spanOf = (intervalMs: number): number =>
  Math.min(MOST_SPAN_SAMPLES, Math.max(LEAST_SPAN_SAMPLES, Math.round(SPAN_MS / intervalMs)));

/** Trailing means of all metrics. */
export class LevelStream {
  readonly #alpha: number;
  readonly #span: number;
  readonly #means: Float64Array;
  readonly #seen: Uint32Array;
  /** NaN until a metric was seen `span` times. */
  readonly levels: Float64Array;

  constructor(metrics: number, span: number) {
    this.#alpha = 2 / (span + 1);
    this.#span = span;
    this.#means = new Float64Array(metrics);
    this.#seen = new Uint32Array(metrics);
    this.levels = new Float64Array(metrics).fill(Number.NaN);
  }

  /** @param values in schema order; a missing one leaves its level as it was */
  update(values: ArrayLike<number>): Float64Array {
    for (let metric = 0; metric < this.#means.length; metric++) {
      const x = values[metric] as number;
      if (Number.isNaN(x)) continue;
      const seen = this.#seen[metric] as number;
      const mean = seen === 0 ? x : (this.#means[metric] as number);
      this.#means[metric] = mean + this.#alpha * (x - mean);
      if (seen < this.#span) this.#seen[metric] = seen + 1;
      if (seen + 1 >= this.#span) this.levels[metric] = this.#means[metric] as number;
    }
    return this.levels;
  }

  reset(): void {
    this.#seen.fill(0);
    this.levels.fill(Number.NaN);
  }

  state(): { means: number[]; seen: number[] } {
    return { means: Array.from(this.#means), seen: Array.from(this.#seen) };
  }

  restore(state: { readonly means: readonly number[]; readonly seen: readonly number[] }): void {
    this.#means.set(state.means);
    this.#seen.set(state.seen);
    this.levels.forEach((_, metric) => {
      const full = (this.#seen[metric] as number) >= this.#span;
      this.levels[metric] = full ? (this.#means[metric] as number) : Number.NaN;
    });
  }
}

/** Collects the ranges over the training rows. */
export class LevelRangeFit {
  readonly #stream: LevelStream;
  readonly #span: number;
  readonly #rows: number;
  readonly #enough: boolean;
  /** Of the first and the second half: low, high; metric-major. */
  readonly #halves: Float64Array;

  constructor(metrics: number, rows: number, intervalMs: number) {
    this.#span = spanOf(intervalMs);
    this.#stream = new LevelStream(metrics, this.#span);
    this.#rows = rows;
    this.#enough = rows * intervalMs >= LEAST_HISTORY_MS;
    this.#halves = new Float64Array(metrics * 4);
    for (let i = 0; i < this.#halves.length; i++) {
      this.#halves[i] = i % 2 === 0 ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
    }
  }

  /** The next row does not continue the one before. */
  interrupt(): void {
    this.#stream.reset();
  }

  update(values: ArrayLike<number>, row: number): void {
    const levels = this.#stream.update(values);
    const half = row * 2 < this.#rows ? 0 : 2;
    for (let metric = 0; metric < levels.length; metric++) {
      const level = levels[metric] as number;
      const at = metric * 4 + half;
      if (level < (this.#halves[at] as number)) this.#halves[at] = level;
      if (level > (this.#halves[at + 1] as number)) this.#halves[at + 1] = level;
    }
  }

  /** The margin of a metric is at least what its range grew by from one half of the training to the other. */
  finish(): LevelRanges {
    const metrics = this.#halves.length / 4;
    const lows = new Float64Array(metrics).fill(Number.NaN);
    const highs = new Float64Array(metrics).fill(Number.NaN);
    const margins = new Float64Array(metrics).fill(LEAST_MARGIN);
    for (let metric = 0; metric < metrics; metric++) {
      const [low1, high1, low2, high2] = this.#halves.subarray(metric * 4) as unknown as Quad;
      const low = Math.min(low1, low2);
      const high = Math.max(high1, high2);
      if (!this.#enough || !(high > low) || !(high1 >= low1) || !(high2 >= low2)) continue;
      lows[metric] = low;
      highs[metric] = high;
      margins[metric] = Math.max(
        LEAST_MARGIN,
        Math.max(Math.abs(high2 - high1), Math.abs(low2 - low1)) / (high - low),
      );
    }
    return { span: this.#span, lows, highs, margins };
  }
}

type Quad = [number, number, number, number];
