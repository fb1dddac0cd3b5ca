/**
 * The forest's score relative to the median of its own last few: what ramps and level shifts raise, and what a
 * host that is always a little strange does not. A ratio, so 1 is "as usual".
 */
export const RELATIVE_WINDOW = 240;
/** Below this many scores the median says nothing, and the ratio is 1. */
const LEAST_SCORES = 15;

export class ForestRelative {
  readonly #ring = new Float64Array(RELATIVE_WINDOW);
  readonly #sorted = new Float64Array(RELATIVE_WINDOW);
  #count = 0;
  #position = 0;

  reset(): void {
    this.#count = 0;
    this.#position = 0;
  }

  /** @returns score / median of the scores before it; NaN scores change nothing and give NaN. */
  update(score: number): number {
    if (!Number.isFinite(score)) return Number.NaN;
    const ratio = this.#count < LEAST_SCORES ? 1 : score / this.#median();
    if (this.#count === RELATIVE_WINDOW) this.#remove(this.#ring[this.#position] as number);
    this.#insert(score);
    this.#ring[this.#position] = score;
    this.#position = (this.#position + 1) % RELATIVE_WINDOW;
    return ratio;
  }

  #median(): number {
    const middle = this.#count >> 1;
    const high = this.#sorted[middle] as number;
    return this.#count % 2 === 1 ? high : ((this.#sorted[middle - 1] as number) + high) / 2;
  }

  #find(value: number): number {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#sorted[middle] as number) < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #insert(value: number): void {
    const at = this.#find(value);
    this.#sorted.copyWithin(at + 1, at, this.#count);
    this.#sorted[at] = value;
    this.#count++;
  }

  #remove(value: number): void {
    const at = this.#find(value);
    this.#sorted.copyWithin(at, at + 1, this.#count);
    this.#count--;
  }
}
