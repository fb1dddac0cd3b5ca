/**
 * Kolmogorov-Smirnov distance of a sliding window from a fixed reference, in O(log k) a sample for k distinct reference
 * values.
 *
 * The reference's values cut the line into cells: below the first, the first itself, between the first and the second,
 * … above the last. Within an open cell the reference does not grow, so both distribution functions differ the most at
 * the end of some cell: D is the largest prefix sum, over cells, of live share less reference share. A segment tree
 * holds sum, largest and smallest prefix of each node. A window slot is its cell's number.
 */

/** Distinct values, ascending, and how much weight lies in each of the 2 k + 1 cells. */
export interface CellWeights {
  readonly values: Float64Array;
  /** Of the cells: open ones at even places, values at odd ones. Whole numbers keep D exact. */
  readonly weights: Float64Array;
}

/** In place of a cell: the value was missing; it was left out; there was no sample. Not part of the distribution. */
export const MISSING = 65_535;
export const LEFT_OUT = 65_534;
export const ABSENT = 65_533;
/** Cells that a slot of 16 bits can number. */
export const MOST_CELLS = 65_533;

/** Number of the cell of x: 2 i + 1 where it equals value i, 2 i where it lies just below it. NaN: MISSING. */
export function cellOf(values: ArrayLike<number>, x: number): number {
  if (Number.isNaN(x)) return MISSING;
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((values[middle] as number) < x) low = middle + 1;
    else high = middle;
  }
  return low < values.length && values[low] === x ? 2 * low + 1 : 2 * low;
}

/** @param sorted ascending, finite, not empty; at most 32,766 distinct values */
export function cellsOfSample(sorted: ArrayLike<number>): CellWeights {
  const values: number[] = [];
  const counts: number[] = [];
  for (let i = 0; i < sorted.length; i++) {
    const x = sorted[i] as number;
    if (x === values.at(-1)) counts[counts.length - 1] = (counts.at(-1) as number) + 1;
    else {
      values.push(x);
      counts.push(1);
    }
  }
  const weights = new Float64Array(2 * values.length + 1);
  for (const [i, count] of counts.entries()) weights[2 * i + 1] = count;
  return { values: Float64Array.from(values), weights };
}

/** Beyond this distance of the window's count from the tree's, the tree is built anew; */
const MOST_OFF = 32;
/** also when the count has stood elsewhere for so many readings: a search at each would cost more. */
const MOST_SEARCHES = 64;
/** In place of weights that are no counts: 2^36, of which their prefix sums are whole numbers. With 2^16 slots exact in a double. */
const FINE = 68_719_476_736;

const MOST_SMALL = 0x7fff_ffff;

type Whole = Int32Array | Float64Array;

export class SlidingKs {
  readonly values: Float64Array;
  readonly capacity: number;
  readonly #ring: Uint16Array;
  readonly #counts: Uint32Array;
  readonly #leaves: number;
  /** At each node, by how much the right half's largest difference exceeds the left half's. Root 1, children 2 i, 2 i + 1. */
  #above: Whole = new Int32Array(0);
  /** The same of the differences with their signs changed. */
  #below: Whole = new Int32Array(0);
  /** Largest difference of all, and with signs changed, for the tree's count. */
  #treeHigh = 0;
  #treeLow = 0;
  /** The same for the window's count. */
  #high = 0;
  #low = 0;
  /** Reference weight up to the end of each cell, and the total behind the last. */
  #prefix: Whole = new Int32Array(0);
  /** Cells that a value entered (2 c + 1) or left (2 c) since the tree was brought up to date. */
  readonly #changed: Int32Array;
  #changes = 0;
  #total = 0;
  /** Count of the window that the tree's differences are for; NaN: to be built anew. */
  #treeCount = Number.NaN;
  /** Count of the window that #high and #low are for. */
  #readCount = Number.NaN;
  /** Readings since then for which the tree had to be searched. */
  #searches = 0;
  #position = 0;
  #length = 0;
  #count = 0;
  #missing = 0;
  #leftOut = 0;

  constructor(reference: CellWeights, capacity: number) {
    const cells = reference.weights.length;
    if (cells !== 2 * reference.values.length + 1 || cells > MOST_CELLS) {
      throw new RangeError(`SlidingKs: ${cells} cells for ${reference.values.length} values`);
    }
    this.values = reference.values;
    this.capacity = capacity;
    this.#ring = new Uint16Array(capacity);
    this.#counts = new Uint32Array(cells);
    let leaves = 1;
    let depth = 0;
    while (leaves < cells) {
      leaves *= 2;
      depth++;
    }
    this.#leaves = leaves;
    // Beyond this many changes it is cheaper to build the tree anew.
    this.#changed = new Int32Array(Math.max(2, Math.floor(leaves / (depth + 1))));
    this.setWeights(reference.weights);
  }

  /** Slots that are filled, up to the capacity. */
  get length(): number {
    return this.#length;
  }

  /** Values in the window. */
  get count(): number {
    return this.#count;
  }

  get missing(): number {
    return this.#missing;
  }

  get leftOut(): number {
    return this.#leftOut;
  }

  /** How many values of the window lie in each cell. A view: it changes with the window. */
  get counts(): Uint32Array {
    return this.#counts;
  }

  /** Another reference over the same values: O(cells) at the next reading. */
  setWeights(weights: Float64Array): void {
    let sum = 0;
    let counted = true;
    for (const weight of weights) {
      sum += weight;
      counted &&= Number.isInteger(weight);
    }
    const exact = counted && sum * this.capacity <= Number.MAX_SAFE_INTEGER;
    this.#total = exact ? sum : FINE;
    // Whole numbers of 32 bits are several times cheaper where no compiler optimises: doubles are boxed.
    const Kind = this.#total * this.capacity <= MOST_SMALL ? Int32Array : Float64Array;
    if (!(this.#prefix instanceof Kind) || this.#prefix.length !== this.#leaves) {
      this.#prefix = new Kind(this.#leaves);
      this.#above = new Kind(this.#leaves);
      this.#below = new Kind(this.#leaves);
    }
    this.#prefix.fill(this.#total);
    let upTo = 0;
    for (let cell = 0; cell < weights.length - 1; cell++) {
      upTo += weights[cell] as number;
      this.#prefix[cell] = exact ? upTo : Math.round((upTo / sum) * FINE);
    }
    this.#treeCount = this.#readCount = Number.NaN;
  }

  /** Takes in a value (NaN: missing) in place of the oldest. */
  update(x: number): void {
    this.push(cellOf(this.values, x));
  }

  /** @param slot a cell's number, MISSING, LEFT_OUT or ABSENT */
  push(slot: number): void {
    if (this.#length === this.capacity) this.#tally(this.#ring[this.#position] as number, -1);
    else this.#length++;
    this.#ring[this.#position] = slot;
    this.#position = this.#position + 1 === this.capacity ? 0 : this.#position + 1;
    this.#tally(slot, 1);
  }

  clear(): void {
    this.#counts.fill(0);
    this.#position = this.#length = this.#count = this.#missing = this.#leftOut = 0;
    this.#treeCount = this.#readCount = Number.NaN;
  }

  #tally(slot: number, by: number): void {
    if (slot < ABSENT) {
      this.#counts[slot] = (this.#counts[slot] as number) + by;
      this.#count += by;
      if (this.#changes < this.#changed.length) this.#changed[this.#changes] = 2 * slot + (by > 0 ? 1 : 0);
      this.#changes++;
    } else if (slot === MISSING) this.#missing += by;
    else if (slot === LEFT_OUT) this.#leftOut += by;
  }

  /** Largest difference of the two distribution functions, 0 to 1; NaN where there is nothing to compare. */
  get d(): number {
    this.#settle();
    return (this.#high > this.#low ? this.#high : this.#low) / (this.#count * this.#total);
  }

  /** By how much the window's distribution function exceeds the reference's at most (its values are smaller). */
  get dGreater(): number {
    this.#settle();
    return this.#high / (this.#count * this.#total);
  }

  /** By how much the reference's distribution function exceeds the window's at most (its values are larger). */
  get dLess(): number {
    this.#settle();
    return this.#low / (this.#count * this.#total);
  }

  /** O(log cells) a change, and O(cells) after MOST_OFF more or fewer values. No Math.max: the agent runs unoptimised. */
  #settle(): void {
    const count = this.#count;
    if (this.#changes === 0 && this.#readCount === count) return;
    let off = count - this.#treeCount;
    this.#searches = this.#readCount === count && off !== 0 ? this.#searches + 1 : 0;
    const near = off <= MOST_OFF && off >= -MOST_OFF && this.#searches <= MOST_SEARCHES;
    if (near && this.#changes <= this.#changed.length) this.#follow();
    else {
      this.#build();
      off = 0;
    }
    this.#changes = 0;
    this.#readCount = count;
    // Behind the last cell both functions are 1: neither extreme is below 0.
    this.#high = off === 0 ? this.#treeHigh : largest(this.#above, this.#prefix, this.#treeHigh, off);
    this.#low = off === 0 ? this.#treeLow : largest(this.#below, this.#prefix, this.#treeLow, -off);
  }

  /** Takes each change from its cell to the root. */
  #follow(): void {
    const above = this.#above;
    const below = this.#below;
    for (let i = 0; i < this.#changes; i++) {
      const change = this.#changed[i] as number;
      const by = (change & 1) === 1 ? this.#total : -this.#total;
      const down = -by;
      // How much the node's largest difference rose, and the one with its sign changed: all of `by`, or a part, or 0.
      let high = by;
      let low = down;
      for (let node = this.#leaves + (change >> 1); node > 1; ) {
        const left = (node & 1) === 0;
        node >>= 1;
        // Out of the left half all of the right one rose; what both rose by changes nothing here.
        const highMove = left ? by - high : high;
        if (highMove !== 0) {
          const before = above[node] as number;
          const now = before + highMove;
          above[node] = now;
          const rise = (now > 0 ? now : 0) - (before > 0 ? before : 0);
          high = left ? high + rise : rise;
        }
        const lowMove = left ? down - low : low;
        if (lowMove !== 0) {
          const before = below[node] as number;
          const now = before + lowMove;
          below[node] = now;
          const rise = (now > 0 ? now : 0) - (before > 0 ? before : 0);
          low = left ? low + rise : rise;
        }
      }
      this.#treeHigh += high;
      this.#treeLow += low;
    }
  }

  #build(): void {
    const count = this.#count;
    // Largest differences of left halves, by level, until their right ones are known.
    const highs: number[] = [];
    const lows: number[] = [];
    let upTo = 0;
    let high = 0;
    let low = 0;
    for (let cell = 0; cell < this.#leaves; cell++) {
      if (cell < this.#counts.length) upTo += this.#counts[cell] as number;
      high = this.#total * upTo - count * (this.#prefix[cell] as number);
      low = 0 - high;
      let node = this.#leaves + cell;
      let level = 0;
      for (; node > 1 && (node & 1) === 1; level++) {
        node >>= 1;
        const leftHigh = highs[level] as number;
        const leftLow = lows[level] as number;
        this.#above[node] = high - leftHigh;
        this.#below[node] = low - leftLow;
        if (leftHigh > high) high = leftHigh;
        if (leftLow > low) low = leftLow;
      }
      highs[level] = high;
      lows[level] = low;
    }
    this.#treeHigh = high;
    this.#treeLow = low;
    this.#treeCount = count;
  }
}

/**
 * Largest difference over all cells, each less `off` times the reference's prefix sum there. What a part of the tree
 * holds is at most its own largest less the smallest that is taken off in it: most parts need not be looked into.
 * @param top largest of all with nothing taken off
 */
function largest(tree: Whole, prefix: Whole, top: number, off: number): number {
  let best = 0;
  const waiting: number[] = [];
  let node = 1;
  let first = 0;
  let span = prefix.length;
  let most = top;
  for (;;) {
    while (span > 1) {
      span >>= 1;
      const middle = first + span;
      const more = tree[node] as number;
      const left = more > 0 ? most - more : most;
      const right = left + more;
      // The prefix sums ascend: the least is taken off at one end.
      const leftBound = left - off * (prefix[off > 0 ? first : middle - 1] as number);
      const rightBound = right - off * (prefix[off > 0 ? middle : middle + span - 1] as number);
      node <<= 1;
      if (leftBound > rightBound) {
        if (rightBound > best) waiting.push(rightBound, right, span, middle, node + 1);
        most = left;
      } else {
        if (leftBound > best) waiting.push(leftBound, left, span, first, node);
        most = right;
        first = middle;
        node++;
      }
    }
    const found = most - off * (prefix[first] as number);
    if (found > best) best = found;
    do {
      if (waiting.length === 0) return best;
      node = waiting.pop() as number;
      first = waiting.pop() as number;
      span = waiting.pop() as number;
      most = waiting.pop() as number;
    } while ((waiting.pop() as number) <= best);
  }
}
