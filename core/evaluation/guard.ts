import type { NotificationRule } from '../calibration.ts';
import { exp } from '../math.ts';

const DAY_MS = 86_400_000;

/**
 * The incident reducer's guard (core/incident.ts) over bare flags: thresholds rise by e^step a notification, and sink by
 * step x budget a day; within a standing episode the bare threshold is enough.
 */
export class Guard {
  readonly #step: number;
  readonly #perDay: number;
  readonly #rule: NotificationRule;
  #level = 0;
  #first = Number.NEGATIVE_INFINITY;
  #last = Number.NEGATIVE_INFINITY;

  /** @param step 0: thresholds stay where they are */
  constructor(step: number, perDay: number, rule: NotificationRule) {
    this.#step = step;
    this.#perDay = perDay;
    this.#rule = rule;
  }

  /** Moves on to a row. @returns what its thresholds are to be multiplied by */
  advance(row: number, elapsedMs: number): number {
    this.#level = Math.max(0, this.#level - (this.#step * this.#perDay * elapsedMs) / DAY_MS);
    return row - this.#last <= this.#rule.mergeSamples ? 1 : exp(this.#level);
  }

  /** The row was flagged. */
  flagged(row: number): void {
    const { mergeSamples, renotifySamples } = this.#rule;
    if (row - this.#last > mergeSamples || row - this.#first >= renotifySamples) {
      this.#level += this.#step;
      this.#first = row;
    }
    this.#last = row;
  }
}
