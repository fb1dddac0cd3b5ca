/** A time that comes again out of order is found within so many rows; in sorted data it is the row before. */
const TIMES_REMEMBERED = 1 << 16;
const INTERVALS_KEPT = 1 << 16;
/** Longer than this many usual intervals is a gap. */
const GAP_INTERVALS = 2.5;
/** Further than this from the usual interval is irregular. */
const IRREGULAR_SHARE = 0.25;

/** Order, duplicates and regularity of times. */
export class TimeCheck {
  readonly #sameRow: () => boolean;
  /** The last times, in the order they came. */
  readonly #ring = new Float64Array(TIMES_REMEMBERED);
  /** By time in the ring, the last row that had it; null while the ring ascends: a time later than all is not in it, and others are rare. */
  #remembered: Map<number, number> | null = null;
  /** Rows since the last that was not later than all before. */
  #ascending = 0;
  #count = 0;
  #lastMs = Number.NaN;
  #firstMs = Number.POSITIVE_INFINITY;
  #newestMs = Number.NEGATIVE_INFINITY;
  readonly #steps = new Float64Array(INTERVALS_KEPT);
  #stepCount = 0;
  /** Median of the first INTERVALS_KEPT steps, once there are so many. */
  #usual: number | null = null;
  #irregular = 0;
  #gaps = 0;
  #duplicates = 0;
  #duplicateRows = 0;
  #outOfOrder = 0;

  /** @param sameRow whether the row whose time comes next is the row before in every cell */
  constructor(sameRow: () => boolean) {
    this.#sameRow = sameRow;
  }

  /** @returns what is wrong with the time, or null */
  next(timeMs: number): string | null {
    const step = timeMs - this.#lastMs;
    const repeated = step === 0 || (timeMs <= this.#newestMs && this.#lookup().has(timeMs));
    this.#remember(timeMs);
    if (timeMs < this.#firstMs) this.#firstMs = timeMs;
    this.#lastMs = timeMs;
    if (repeated) {
      this.#duplicates++;
      const sameRow = step === 0 && this.#sameRow();
      if (sameRow) this.#duplicateRows++;
      return sameRow ? 'the row stands there twice' : 'the time was there before';
    }
    if (step < 0) {
      this.#outOfOrder++;
      return 'is earlier than the row before';
    }
    if (step > 0) this.#addStep(step);
    return null;
  }

  #lookup(): Map<number, number> {
    if (this.#remembered !== null) return this.#remembered;
    this.#remembered = new Map();
    for (let row = Math.max(0, this.#count - TIMES_REMEMBERED); row < this.#count; row++) {
      this.#remembered.set(this.#ring[row % TIMES_REMEMBERED]!, row);
    }
    return this.#remembered;
  }

  #remember(timeMs: number): void {
    if (timeMs > this.#newestMs) {
      this.#newestMs = timeMs;
      this.#ascending++;
    } else {
      this.#ascending = 0;
      this.#lookup();
    }
    const row = this.#count++;
    const at = row % TIMES_REMEMBERED;
    if (this.#ascending >= TIMES_REMEMBERED) this.#remembered = null;
    if (this.#remembered !== null) {
      const forgotten = this.#ring[at]!;
      if (this.#remembered.get(forgotten) === row - TIMES_REMEMBERED) this.#remembered.delete(forgotten);
      this.#remembered.set(timeMs, row);
    }
    this.#ring[at] = timeMs;
  }

  #addStep(step: number): void {
    if (this.#usual !== null) {
      this.#judge(step, this.#usual);
      return;
    }
    this.#steps[this.#stepCount++] = step;
    if (this.#stepCount === INTERVALS_KEPT) this.#usual = this.#judgeKept();
  }

  #judge(step: number, usual: number): void {
    if (Math.abs(step - usual) > IRREGULAR_SHARE * usual) this.#irregular++;
    if (step > GAP_INTERVALS * usual) this.#gaps++;
  }

  /** @returns the usual step, null where there is none */
  #judgeKept(): number | null {
    const sorted = this.#steps.slice(0, this.#stepCount).sort();
    const usual = sorted[sorted.length >> 1];
    if (usual === undefined) return null;
    for (const step of sorted) this.#judge(step, usual);
    return usual;
  }

  /** Once, at the end. */
  report() {
    const iso = (ms: number): string | null => (Number.isFinite(ms) ? new Date(ms).toISOString() : null);
    const intervalMs = this.#usual ?? this.#judgeKept();
    return {
      duplicates: this.#duplicates,
      duplicateRows: this.#duplicateRows,
      outOfOrder: this.#outOfOrder,
      gaps: this.#gaps,
      irregular: this.#irregular,
      intervalMs,
      from: iso(this.#firstMs),
      to: iso(this.#newestMs),
    };
  }
}
