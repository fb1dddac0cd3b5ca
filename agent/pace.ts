/** Token bucket: at most `perSecond` on average, and `burst` at once. Time is handed in. */
export class Pace {
  readonly #perMs: number;
  readonly #burst: number;
  #tokens: number;
  #lastMs: number;

  constructor(perSecond: number, burst: number, nowMs: number) {
    this.#perMs = perSecond / 1000;
    this.#burst = burst;
    this.#tokens = burst;
    this.#lastMs = nowMs;
  }

  /** Whole ones, there now. */
  available(nowMs: number): number {
    this.#tokens = Math.min(this.#burst, this.#tokens + Math.max(0, nowMs - this.#lastMs) * this.#perMs);
    this.#lastMs = nowMs;
    return Math.floor(this.#tokens);
  }

  take(count: number): void {
    this.#tokens -= count;
  }

  /** Until `count` are there. */
  waitMs(count: number): number {
    return Math.max(0, Math.ceil((Math.min(count, this.#burst) - this.#tokens) / this.#perMs));
  }
}
