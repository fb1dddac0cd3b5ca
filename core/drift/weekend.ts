import type { Stepwise } from '../features.ts';
import type { Block } from './leave-one-out.ts';
import { BLOCKS_PER_WINDOW, WEEK_MS, WEEKEND_MS } from './reference.ts';

/** Share of the windows that must remain comparable when the weekend is told apart. */
const LEAST_KEPT = 0.9;

/** Which kind of day a block is of: 0 ordinary, 1 weekend. */
export type PartOf = (index: number) => 0 | 1;

/**
 * The 48 hours a week that are the least like the others, whatever the time zone and the country: the start, in whole
 * blocks, for which reference windows lie closest to their own kind of day.
 * @param streams the blocks of each
 * @returns null where windows lie closest to all days alike
 */
export function* findWeekend(
  streams: readonly (readonly Block[])[],
  blockMs: number,
): Stepwise<{ readonly startMs: number; readonly partOf: PartOf } | null> {
  const starts = Math.round(WEEK_MS / blockMs);
  const partFrom =
    (startMs: number): PartOf =>
    (index) => {
      const since = index * blockMs - startMs;
      return since - Math.floor(since / WEEK_MS) * WEEK_MS < WEEKEND_MS ? 1 : 0;
    };
  const sums = new Float64Array(starts);
  let least = 0;
  for (const blocks of streams) {
    const windows = new ReferenceWindows(blocks);
    yield;
    const all = windows.meanDistance(() => 0);
    least += all.mean;
    for (let start = 0; start < starts; start++) {
      const { mean, count } = windows.meanDistance(partFrom(start * blockMs));
      // A kind of day that came once has no other to be compared with: its windows may not just drop out.
      sums[start] = (sums[start] as number) + (count < LEAST_KEPT * all.count ? 1 : mean);
      yield;
    }
  }
  let best: number | null = null;
  for (const [start, sum] of sums.entries()) {
    if (sum >= least) continue;
    least = sum;
    best = start * blockMs;
  }
  return best === null ? null : { startMs: best, partOf: partFrom(best) };
}

interface Window {
  /** Places of its blocks. */
  readonly first: number;
  readonly size: number;
  /** Prefix sums of its counts over the cells. */
  readonly upTo: Int32Array;
}

/**
 * What leaveOneOut takes its distances from, prepared for asking again with other weekends: 28 of them in each stream
 * were most of a fit of the reference. In prefix sums a window of one kind of day costs two products a cell.
 */
class ReferenceWindows {
  readonly #blocks: readonly Block[];
  readonly #prefixes: readonly Int32Array[];
  readonly #windows: Window[] = [];
  readonly #all: Int32Array;

  constructor(blocks: readonly Block[]) {
    this.#blocks = blocks;
    this.#prefixes = blocks.map(({ counts }) => prefixSums(counts));
    this.#all = total(this.#prefixes);
    for (let first = 0; first + BLOCKS_PER_WINDOW <= blocks.length; first++) {
      const index = (blocks[first] as Block).index;
      const last = blocks[first + BLOCKS_PER_WINDOW - 1] as Block;
      if (index % 2 !== 0 || last.index - index !== BLOCKS_PER_WINDOW - 1) continue;
      const upTo = total(this.#prefixes.slice(first, first + BLOCKS_PER_WINDOW));
      const size = upTo.at(-1) as number;
      if (size > 0) this.#windows.push({ first, size, upTo });
    }
  }

  meanDistance(partOf: PartOf): { readonly mean: number; readonly count: number } {
    const weekend = total(this.#prefixes.filter((_, i) => partOf((this.#blocks[i] as Block).index) === 1));
    if (weekend.length === 0) return this.#mean(partOf, [this.#all, new Int32Array(this.#all.length)]);
    return this.#mean(partOf, [this.#all.map((x, cell) => x - (weekend[cell] as number)), weekend]);
  }

  #mean(partOf: PartOf, totals: readonly [Int32Array, Int32Array]): { mean: number; count: number } {
    let sum = 0;
    let count = 0;
    for (const window of this.#windows) {
      const inWeekend = this.#prefixes
        .slice(window.first, window.first + BLOCKS_PER_WINDOW)
        .filter((_, i) => partOf((this.#blocks[window.first + i] as Block).index) === 1);
      const d =
        inWeekend.length === 0
          ? pureDistance(window, totals[0])
          : inWeekend.length === BLOCKS_PER_WINDOW
            ? pureDistance(window, totals[1])
            : mixedDistance(window, inWeekend, totals);
      if (Number.isNaN(d)) continue;
      sum += d;
      count++;
    }
    return { mean: sum / Math.max(1, count), count };
  }
}

/** D of a window from the rest of its kind of day, to which it belongs; NaN where less than a window of it is left. */
function pureDistance({ size, upTo }: Window, all: Int32Array): number {
  const whole = all.at(-1) as number;
  const rest = whole - size;
  if (rest < size) return Number.NaN;
  // P / n - (T - P) / rest, over n rest.
  let most = 0;
  for (let cell = 0; cell < upTo.length; cell++) {
    const difference = whole * (upTo[cell] as number) - size * (all[cell] as number);
    if (difference > most) most = difference;
    else if (-difference > most) most = -difference;
  }
  return most / (size * rest);
}

/** The same of a window over both kinds of day, held against the rest of both in proportion. */
function mixedDistance(
  { size, upTo }: Window,
  weekendBlocks: readonly Int32Array[],
  [ordinary, weekend]: readonly [Int32Array, Int32Array],
): number {
  const inside = total(weekendBlocks);
  const taken = inside.at(-1) as number;
  const rests = [(ordinary.at(-1) as number) - (size - taken), (weekend.at(-1) as number) - taken] as const;
  if (rests[0] < size - taken || rests[1] < taken || rests[0] === 0 || rests[1] === 0) return Number.NaN;
  const share = weekendBlocks.length / BLOCKS_PER_WINDOW;
  const [a, b] = [(1 - share) / rests[0], share / rests[1]];
  let most = 0;
  for (let cell = 0; cell < upTo.length; cell++) {
    const own = inside[cell] as number;
    const all = upTo[cell] as number;
    const difference =
      all / size - a * ((ordinary[cell] as number) - all + own) - b * ((weekend[cell] as number) - own);
    if (difference > most) most = difference;
    else if (-difference > most) most = -difference;
  }
  return most;
}

function prefixSums(counts: Uint32Array): Int32Array {
  const sums = new Int32Array(counts.length);
  let upTo = 0;
  for (let cell = 0; cell < counts.length; cell++) {
    upTo += counts[cell] as number;
    sums[cell] = upTo;
  }
  return sums;
}

/** Of all, cell by cell; empty where there are none. */
function total(prefixes: readonly Int32Array[]): Int32Array {
  const sums = new Int32Array(prefixes[0]?.length ?? 0);
  for (const one of prefixes) {
    for (let cell = 0; cell < sums.length; cell++)
      sums[cell] = (sums[cell] as number) + (one[cell] as number);
  }
  return sums;
}
