import { Random } from '../../core/random.ts';

/** Up to so many values quantiles are exact; beyond, they are those of an even sample of this size. */
export const KEPT_VALUES = 1 << 16;
const BINS = 12;
/** Half as many are usual for 2^18 values; an order that was made to need more is sorted. */
const ROUNDS_MAX = 64;
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
    const at = (this.#random.uint32() / 2 ** 32) * (this.#n + 1);
    if (at < KEPT_VALUES) this.#kept[Math.floor(at)] = value;
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
    const values = this.#kept.slice(0, Math.min(n, KEPT_VALUES));
    orderQuantiles(values);
    const at = (q: number): number => quantile(values, q);
    const [p25, p75] = [at(0.25), at(0.75)];
    const [low, high] = [p25 - FENCE * (p75 - p25), p75 + FENCE * (p75 - p25)];
    let outside = 0;
    for (const x of values) if (x < low || x > high) outside++;
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
      outliers: Math.round((outside * n) / values.length),
      constant: n > 1 && this.#min === this.#max,
      histogram: histogram(values, this.#min, this.#max),
    };
  }
}

/** Puts in their places only what the quantiles read: a sixth of the time of sorting. */
function orderQuantiles(values: Float64Array): void {
  let from = 0;
  for (const q of [0.25, 0.5, 0.75, 0.95]) {
    const rank = Math.floor(q * (values.length - 1));
    for (const at of [rank, Math.min(rank + 1, values.length - 1)]) {
      select(values, from, at);
      from = at;
    }
  }
}

/** Quickselect (Hoare 1961): what is at `rank` afterwards, sorting would have put there. Nothing before `from` moves. */
export function select(values: Float64Array, from: number, rank: number): void {
  let low = from;
  let high = values.length - 1;
  for (let rounds = 0; low < high; rounds++) {
    if (rounds === ROUNDS_MAX) {
      values.subarray(low, high + 1).sort();
      return;
    }
    const pivot = medianOfThree(values[low]!, values[(low + high) >> 1]!, values[high]!);
    let i = low;
    let j = high;
    while (i <= j) {
      while (values[i]! < pivot) i++;
      while (values[j]! > pivot) j--;
      if (i > j) break;
      const swapped = values[i]!;
      values[i++] = values[j]!;
      values[j--] = swapped;
    }
    if (rank <= j) high = j;
    else if (rank >= i) low = i;
    else return;
  }
}

const medianOfThree = (a: number, b: number, c: number): number =>
  a < b ? (b < c ? b : a < c ? c : a) : a < c ? a : b < c ? c : b;

/** Linear between order statistics: type 7 of Hyndman and Fan 1996, as numpy's default. */
export function quantile(sorted: Float64Array, q: number): number {
  const at = q * (sorted.length - 1);
  const low = Math.floor(at);
  const left = sorted[low] as number;
  const right = sorted[Math.min(low + 1, sorted.length - 1)] as number;
  return left + (at - low) * (right - left);
}

function histogram(values: Float64Array, min: number, max: number): number[] {
  const bins = new Array<number>(BINS).fill(0);
  for (const x of values) {
    const bin = max > min ? Math.floor(((x - min) / (max - min)) * BINS) : 0;
    (bins[Math.min(bin, BINS - 1)] as number)++;
  }
  return bins;
}
