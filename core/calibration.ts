import type { Stepwise } from './features.ts';
import { exp, ln, sortedFinite } from './math.ts';

/**
 * Thresholds from an alert budget. A notification is the beginning of an episode (flags merged over gaps of at
 * most `mergeSamples`), and again each `renotifySamples` while it stands.
 */
export interface NotificationRule {
  readonly mergeSamples: number;
  readonly renotifySamples: number;
}

/** Notifications that the flagged positions (ascending sample numbers) give. */
export function countNotifications(
  positions: ArrayLike<number>,
  count: number,
  rule: NotificationRule,
): number {
  let notifications = 0;
  let last = Number.NEGATIVE_INFINITY;
  let notified = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < count; i++) {
    const at = positions[i] as number;
    if (at - last > rule.mergeSamples || at - notified >= rule.renotifySamples) {
      notifications++;
      notified = at;
    }
    last = at;
  }
  return notifications;
}

/** Positions that are sorted at a time: a threshold is rarely lower than the first few hundred values. */
const SORTED_AT_ONCE = 512;
/** Positions looked at between two looks at the clock. */
const POSITIONS_PER_STEP = 10_000;

/** The positions of a trigger's values, the largest value first and equal ones in order; sorted as far as they are asked for. */
export class Falling {
  readonly values: Float64Array;
  readonly #ascending: Float64Array;
  readonly #positions: Uint32Array;
  #known = 0;

  /** @param values in the order of time; NaN where there was none */
  constructor(values: Float64Array) {
    this.values = values;
    this.#ascending = sortedFinite(values);
    this.#positions = new Uint32Array(this.#ascending.length);
  }

  get length(): number {
    return this.#positions.length;
  }

  at(i: number): number {
    if (i >= this.#known) this.#sortMore();
    return this.#positions[i] as number;
  }

  #sortMore(): void {
    const { values } = this;
    const [left, from] = [this.length - this.#known, this.#known];
    const over = left === this.length ? Number.POSITIVE_INFINITY : (this.#ascending[left] as number);
    const cut = this.#ascending[Math.max(0, left - SORTED_AT_ONCE)] as number;
    const equal: number[] = [];
    for (let i = 0; i < values.length; i++) {
      const x = values[i] as number;
      if (x >= over || !(x >= cut)) continue;
      if (x === cut) equal.push(i);
      else this.#positions[this.#known++] = i;
    }
    this.#positions
      .subarray(from, this.#known)
      .sort((a, b) => (values[b] as number) - (values[a] as number) || a - b);
    this.#positions.set(equal, this.#known);
    this.#known += equal.length;
  }
}

/** Walks thresholds downwards and reports how many notifications each gives. Stops at `maximum`. */
function* descend(
  falling: Falling,
  rule: NotificationRule,
  maximum: number,
  also: ArrayLike<number>,
  visit: (threshold: number, notifications: number) => void,
): Stepwise<void> {
  const { values } = falling;
  const flagged: number[] = Array.from(also);
  let looked = 0;
  let k = 0;
  while (k < falling.length) {
    const threshold = values[falling.at(k)] as number;
    const notifications = countNotifications(flagged, flagged.length, rule);
    visit(threshold, notifications);
    if (notifications > maximum) return;
    while (k < falling.length && values[falling.at(k)] === threshold) {
      insertSorted(flagged, falling.at(k));
      k++;
      looked += 16;
    }
    looked += flagged.length;
    if (looked < POSITIONS_PER_STEP) continue;
    looked = 0;
    yield;
  }
}

function insertSorted(sorted: number[], value: number): void {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] as number) < value) low = middle + 1;
    else high = middle;
  }
  if (sorted[low] === value) return;
  sorted.splice(low, 0, value);
}

export interface Threshold {
  readonly value: number;
  /** Extrapolated: the training time covers fewer than four budget periods. */
  readonly provisional: boolean;
}

/** Budget periods that the training time must cover before its own quantiles are believed. */
export const PERIODS_NEEDED = 4;
/** Range of the Pareto index: below, one freak value sets every threshold; above, a thin tail is believed. */
const TAIL_INDEX_RANGE = [2, 3] as const;

/**
 * Lowest threshold that, with every higher one, keeps notifications on the training values within
 * `perDay * days`. While the training time covers fewer than four budget periods, the tail above the level of four
 * notifications is continued as a Pareto tail (its index by Hill's estimator over the notification levels), and
 * never ends below the direct answer.
 * @param falling trigger values of the training time
 * @param also positions that another trigger of the same budget flags (ascending): both are counted together
 */
export function* thresholdForBudget(
  falling: Falling,
  days: number,
  perDay: number,
  rule: NotificationRule,
  also: ArrayLike<number> = [],
): Stepwise<Threshold> {
  const budget = perDay * days;
  const levels: number[] = [];
  let direct = Number.NaN;
  let within = true;
  yield* descend(falling, rule, Math.max(budget, 2 * PERIODS_NEEDED), also, (threshold, notifications) => {
    if (notifications > budget) within = false;
    if (within) direct = threshold;
    while (levels.length < notifications) levels.push(threshold);
  });
  yield;
  if (Number.isNaN(direct)) return { value: 1, provisional: true };
  if (budget >= PERIODS_NEEDED) return { value: direct, provisional: false };
  const anchorCount = Math.min(PERIODS_NEEDED, levels.length);
  if (anchorCount === 0) return { value: Math.max(direct, 1e-9) * 4, provisional: true };
  const anchor = levels[anchorCount - 1] as number;
  const growth = exp(ln(anchorCount / budget) / tailIndex(levels));
  return { value: Math.max(direct, anchor * Math.max(growth, 1)), provisional: true };
}

/** Positions of the values over a threshold. */
export function positionsOver(values: Float64Array, threshold: number): number[] {
  const positions: number[] = [];
  for (let i = 0; i < values.length; i++) if ((values[i] as number) > threshold) positions.push(i);
  return positions;
}

/** Hill's estimator over the levels at which the first, second, … notification comes (descending). */
function tailIndex(levels: readonly number[]): number {
  const [least, most] = TAIL_INDEX_RANGE;
  const last = levels.at(-1) ?? 0;
  if (levels.length < 2 || !(last > 0)) return least;
  let sum = 0;
  for (const level of levels) sum += ln(level / last);
  const index = sum > 0 ? (levels.length - 1) / sum : most;
  return index < least ? least : index > most ? most : index;
}
