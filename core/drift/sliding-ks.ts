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

export class SlidingKs {
  readonly values: Float64Array;
  readonly capacity: number;
  readonly #ring: Uint16Array;
  readonly #counts: Uint32Array;
  readonly #leaves: number;
  /** Sum, largest and smallest prefix of each node, side by side. Node i has the children 2 i and 2 i + 1; 1 is the root. */
  readonly #tree: Float64Array;
  /** Cells whose count differs from what the tree holds. */
  readonly #changed: Uint16Array;
  #changes = 0;
  #weights: Float64Array;
  #total = 0;
  /** Slots in the tree's sums: they hold total x live count - slots x reference weight. */
  #treeCount = -1;
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
    this.#tree = new Float64Array(6 * leaves);
    // Beyond this many changes it is cheaper to build the tree anew.
    this.#changed = new Uint16Array(Math.max(2, Math.floor(leaves / (depth + 1))));
    this.#weights = reference.weights;
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
    let total = 0;
    for (const weight of weights) total += weight;
    this.#weights = weights;
    this.#total = total;
    this.#treeCount = -1;
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
    this.#treeCount = -1;
  }

  #tally(slot: number, by: number): void {
    if (slot < ABSENT) {
      this.#counts[slot] = (this.#counts[slot] as number) + by;
      this.#count += by;
      if (this.#changes < this.#changed.length) this.#changed[this.#changes] = slot;
      this.#changes++;
    } else if (slot === MISSING) this.#missing += by;
    else if (slot === LEFT_OUT) this.#leftOut += by;
  }

  /** Largest difference of the two distribution functions, 0 to 1; NaN where there is nothing to compare. */
  get d(): number {
    this.#settle();
    const high = this.#tree[4] as number;
    const low = -(this.#tree[5] as number);
    const most = high > low ? high : low;
    return (most > 0 ? most : 0) / (this.#count * this.#total);
  }

  /** By how much the window's distribution function exceeds the reference's at most (its values are smaller). */
  get dGreater(): number {
    this.#settle();
    return Math.max(0, this.#tree[4] as number) / (this.#count * this.#total);
  }

  /** By how much the reference's distribution function exceeds the window's at most (its values are larger). */
  get dLess(): number {
    this.#settle();
    return Math.max(0, -(this.#tree[5] as number)) / (this.#count * this.#total);
  }

  /** Brings the tree up to date: O(log cells) a change while the number of values stands, else O(cells). */
  #settle(): void {
    const changes = this.#changes;
    const count = this.#count;
    if (changes === 0 && this.#treeCount === count) return;
    const tree = this.#tree;
    const leaves = this.#leaves;
    const anew = this.#treeCount !== count || changes > this.#changed.length;
    const touched = anew ? this.#counts.length : changes;
    for (let i = 0; i < touched; i++) {
      const cell = anew ? i : (this.#changed[i] as number);
      const at = 3 * (leaves + cell);
      const x = this.#total * (this.#counts[cell] as number) - count * (this.#weights[cell] as number);
      tree[at] = tree[at + 1] = tree[at + 2] = x;
    }
    if (anew) for (let node = leaves - 1; node >= 1; node--) join(tree, node, node);
    else if (changes === 2) {
      // What entered and what left: their ways meet somewhere.
      let a = (leaves + (this.#changed[0] as number)) >> 1;
      let b = (leaves + (this.#changed[1] as number)) >> 1;
      for (; a !== b; a >>= 1, b >>= 1) {
        join(tree, a, a);
        join(tree, b, b);
      }
      join(tree, a, 1);
    } else {
      for (let i = 0; i < changes; i++) join(tree, (leaves + (this.#changed[i] as number)) >> 1, 1);
    }
    this.#treeCount = count;
    this.#changes = 0;
  }
}

/** Computes a node, and those above it up to `last`, from their children. No Math.max: the agent runs unoptimised. */
function join(tree: Float64Array, first: number, last: number): void {
  for (let node = first; node >= last; node >>= 1) {
    const at = 3 * node;
    const left = 2 * at;
    const sum = tree[left] as number;
    const high = tree[left + 1] as number;
    const low = tree[left + 2] as number;
    const rightHigh = sum + (tree[left + 4] as number);
    const rightLow = sum + (tree[left + 5] as number);
    tree[at] = sum + (tree[left + 3] as number);
    tree[at + 1] = rightHigh > high ? rightHigh : high;
    tree[at + 2] = rightLow < low ? rightLow : low;
  }
}
