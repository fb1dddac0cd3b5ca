import { Random } from '../../core/random.ts';

/** Up to so many values quantiles are exact; beyond, they are those of an even sample of this size. */
export const KEPT_VALUES = 1 << 18;
const BINS = 12;
/** Tukey's fences. */
const FENCE = 1.5;

export interface ColumnReport {
  readonly type: 'number' | 'text' | 'empty';
  readonly missing: number;
  readonly outOfRange: number;
  readonly notNumeric: number;
  readonly notFinite: number;
  readonly mean: number | null;
  readonly std: number | null;
  readonly min: number | null;
  readonly p25: number | null;
  readonly p50: number | null;
  readonly p75: number | null;
  readonly p95: number | null;
  readonly max: number | null;
  /** Beyond the quartiles by more than 1.5 times their distance. */
  readonly outliers: number;
  readonly constant: boolean;
  /** Counts in twelve bins from min to max. */
  readonly histogram: readonly number[];
}

/** One column, value by value, in bounded memory. */
export class ColumnProfile {
  readonly counts = { missing: 0, outOfRange: 0, notNumeric: 0, notFinite: 0 };
  readonly #random = new Random(1);
  #kept = new Float64Array(1024);
  #n = 0;
  #mean = 0;
  /** Sum of squared deviations (Welford 1962). */
  #m2 = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = Number.NEGATIVE_INFINITY;

  add(value: number): void {
    this.#keep(value);
    this.#n++;
    const delta = value - this.#mean;
    this.#mean += delta / this.#n;
    this.#m2 += delta * (value - this.#mean);
    if (value < this.#min) this.#min = value;
    if (value > this.#max) this.#max = value;
  }

  /** Vitter 1985, algorithm R. */
  #keep(value: number): void {
    if (this.#n < KEPT_VALUES) {
      if (this.#n === this.#kept.length) {
        const wider = new Float64Array(2 * this.#kept.length);
        wider.set(this.#kept);
        this.#kept = wider;
      }
      this.#kept[this.#n] = value;
      return;
    }
    const at = Math.floor(this.#random.float() * (this.#n + 1));
    if (at < KEPT_VALUES) this.#kept[at] = value;
  }

  report(): ColumnReport {
    const n = this.#n;
    const { notNumeric, notFinite } = this.counts;
    const type = n > 0 ? 'number' : notNumeric + notFinite > 0 ? 'text' : 'empty';
    if (n === 0) {
      const none = {
        mean: null,
        std: null,
        min: null,
        p25: null,
        p50: null,
        p75: null,
        p95: null,
        max: null,
      };
      return { type, ...this.counts, ...none, outliers: 0, constant: false, histogram: [] };
    }
    const sorted = this.#kept.slice(0, Math.min(n, KEPT_VALUES)).sort();
    const at = (q: number): number => quantile(sorted, q);
    const [p25, p75] = [at(0.25), at(0.75)];
    const [low, high] = [p25 - FENCE * (p75 - p25), p75 + FENCE * (p75 - p25)];
    const outside = sorted.reduce((count, x) => count + (x < low || x > high ? 1 : 0), 0);
    return {
      type,
      ...this.counts,
      mean: this.#mean,
      std: n > 1 ? Math.sqrt(this.#m2 / (n - 1)) : 0,
      min: this.#min,
      p25,
      p50: at(0.5),
      p75,
      p95: at(0.95),
      max: this.#max,
      outliers: Math.round((outside * n) / sorted.length),
      constant: n > 1 && this.#min === this.#max,
      histogram: histogram(sorted, this.#min, this.#max),
    };
  }
}

/** Linear between order statistics: type 7 of Hyndman and Fan 1996, as numpy's default. */
export function quantile(sorted: Float64Array, q: number): number {
  const at = q * (sorted.length - 1);
  const low = Math.floor(at);
  const left = sorted[low] as number;
  const right = sorted[Math.min(low + 1, sorted.length - 1)] as number;
  return left + (at - low) * (right - left);
}

function histogram(sorted: Float64Array, min: number, max: number): number[] {
  const bins = new Array<number>(BINS).fill(0);
  for (const x of sorted) {
    const bin = max > min ? Math.floor(((x - min) / (max - min)) * BINS) : 0;
    (bins[Math.min(bin, BINS - 1)] as number)++;
  }
  return bins;
}
