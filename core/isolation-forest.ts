import { exp } from './math.ts';
import { averagePathLength } from './metric-forests.ts';
import type { Random } from './random.ts';

/**
 * The standard isolation forest (Liu, Ting, Zhou 2008): score = 2^(-E[h(x)] / c(rowsPerTree)), in (0, 1], higher is
 * stranger. Trees are held as scikit-learn exports them: node arrays, feature -2 at a leaf, left if x <= threshold.
 */
export interface IsolationTree {
  /** Index of the feature split on; below 0 at a leaf. */
  readonly feature: Int32Array;
  readonly threshold: Float64Array;
  readonly left: Int32Array;
  readonly right: Int32Array;
  /** Training rows that reached the node. */
  readonly samples: Uint32Array;
}

export interface IsolationForest {
  readonly features: number;
  readonly rowsPerTree: number;
  readonly trees: readonly IsolationTree[];
}

/** Path length of a row in one tree: edges walked, plus c(size) of the leaf. */
export function pathLength(tree: IsolationTree, row: ArrayLike<number>): number {
  let node = 0;
  let depth = 0;
  for (;;) {
    const feature = tree.feature[node] as number;
    if (feature < 0) return depth + averagePathLength(tree.samples[node] as number);
    const goLeft = (row[feature] as number) <= (tree.threshold[node] as number);
    node = (goLeft ? tree.left[node] : tree.right[node]) as number;
    depth++;
  }
}

/** Sum of the path lengths over all trees. @param row finite values: NaN would silently go right */
export function pathLengthSum(forest: IsolationForest, row: ArrayLike<number>): number {
  let sum = 0;
  for (const tree of forest.trees) sum += pathLength(tree, row);
  return sum;
}

/** @param sum what `pathLengthSum` gave */
export function scoreOfPathLengths(forest: IsolationForest, sum: number): number {
  return exp((-Math.LN2 * sum) / (forest.trees.length * averagePathLength(forest.rowsPerTree)));
}

/** @param row finite values: NaN would silently go right (fill missing ones first) */
export const isolationScore = (forest: IsolationForest, row: ArrayLike<number>): number =>
  scoreOfPathLengths(forest, pathLengthSum(forest, row));

export interface IsolationForestOptions {
  readonly trees: number;
  readonly rowsPerTree: number;
}
export const ISOLATION_FOREST_DEFAULTS: IsolationForestOptions = { trees: 100, rowsPerTree: 256 };

/**
 * @param rows row-major, `rows.length / features` rows, finite
 */
export function fitIsolationForest(
  rows: Float64Array,
  features: number,
  random: Random,
  options: IsolationForestOptions = ISOLATION_FOREST_DEFAULTS,
): IsolationForest {
  const count = rows.length / features;
  const size = Math.min(options.rowsPerTree, count);
  const grower = new ForestGrower(rows, features, size, options.trees, random);
  return { features, rowsPerTree: size, trees: grower.grow(options.trees) };
}

/** Smallest k with 2^k >= n. */
function log2(n: number): number {
  let k = 0;
  for (let power = 1; power < n; power *= 2) k++;
  return k;
}

/** Grows tree after tree in the same memory: rows are parted in place, by offset, and all nodes lie in one array a kind. */
class ForestGrower {
  readonly #rows: Float64Array;
  readonly #features: number;
  readonly #random: Random;
  readonly #depthLimit: number;
  /** By slot: a place in the deck, and the row that lies there now. */
  readonly #places: Int32Array;
  readonly #cards: Int32Array;
  readonly #picked: Int32Array;
  /** The drawn rows, feature-major. */
  readonly #drawn: Float64Array;
  /** Drawn rows in the order of the leaves, as far as the tree has grown. */
  readonly #offsets: Int32Array;
  readonly #aside: Int32Array;
  readonly #lows: Float64Array;
  readonly #highs: Float64Array;
  readonly #varying: Int32Array;
  readonly #tree: IsolationTree;
  /** Of all trees. */
  #nodes = 0;
  #root = 0;

  constructor(rows: Float64Array, features: number, size: number, trees: number, random: Random) {
    this.#rows = rows;
    this.#features = features;
    this.#random = random;
    this.#depthLimit = Math.ceil(log2(Math.max(size, 2)));
    this.#places = new Int32Array(4 << log2(size));
    this.#cards = new Int32Array(this.#places.length);
    this.#picked = new Int32Array(size);
    this.#drawn = new Float64Array(size * features);
    this.#offsets = new Int32Array(size);
    this.#aside = new Int32Array(size);
    this.#lows = new Float64Array(features);
    this.#highs = new Float64Array(features);
    this.#varying = new Int32Array(features);
    const most = trees * Math.max(1, 2 * size - 1);
    this.#tree = {
      feature: new Int32Array(most),
      threshold: new Float64Array(most),
      left: new Int32Array(most),
      right: new Int32Array(most),
      samples: new Uint32Array(most),
    };
  }

  grow(trees: number): IsolationTree[] {
    const ends = Array.from({ length: trees }, () => {
      this.#draw();
      this.#root = this.#nodes;
      this.#growNode(0, this.#offsets.length, 0);
      return this.#nodes;
    });
    const { feature, threshold, left, right, samples } = this.#tree;
    const all = {
      feature: feature.slice(0, this.#nodes),
      threshold: threshold.slice(0, this.#nodes),
      left: left.slice(0, this.#nodes),
      right: right.slice(0, this.#nodes),
      samples: samples.slice(0, this.#nodes),
    };
    return ends.map((end, t) => {
      const first = ends[t - 1] ?? 0;
      return {
        feature: all.feature.subarray(first, end),
        threshold: all.threshold.subarray(first, end),
        left: all.left.subarray(first, end),
        right: all.right.subarray(first, end),
        samples: all.samples.subarray(first, end),
      };
    });
  }

  /**
   * Rows without replacement: a partial Fisher-Yates shuffle of a deck of which only the cards that moved are written
   * down, in a hash table with open addressing that the first-level cache holds.
   */
  #draw(): void {
    const places = this.#places;
    const cards = this.#cards;
    const picked = this.#picked;
    const rows = this.#rows;
    const drawn = this.#drawn;
    const features = this.#features;
    const size = picked.length;
    const count = rows.length / features;
    const mask = places.length - 1;
    places.fill(-1);
    for (let i = 0; i < size; i++) {
      const j = i + this.#random.below(count - i);
      let slot = Math.imul(j, 0x9e3779b1) & mask;
      while (places[slot] !== -1 && places[slot] !== j) slot = (slot + 1) & mask;
      picked[i] = places[slot] === j ? cards[slot]! : j;
      let own = Math.imul(i, 0x9e3779b1) & mask;
      while (places[own] !== -1 && places[own] !== i) own = (own + 1) & mask;
      const card = places[own] === i ? cards[own]! : i;
      places[slot] = j;
      cards[slot] = card;
      this.#offsets[i] = i;
    }
    for (let feature = 0; feature < features; feature++) {
      for (let i = 0; i < size; i++) drawn[feature * size + i] = rows[picked[i]! * features + feature]!;
    }
  }

  /** Of the offsets [from, to). @returns the node's index in its tree */
  #growNode(from: number, to: number, depth: number): number {
    const tree = this.#tree;
    const node = this.#nodes++;
    tree.feature[node] = -2;
    tree.threshold[node] = -2;
    tree.left[node] = -1;
    tree.right[node] = -1;
    tree.samples[node] = to - from;
    if (to - from <= 1 || depth >= this.#depthLimit) return node - this.#root;
    const feature = this.#chooseFeature(from, to);
    if (feature < 0) return node - this.#root;
    const low = this.#lows[feature]!;
    const high = this.#highs[feature]!;
    const cut = low + this.#random.float() * (high - low);
    // Rounding may reach `high`, and then nothing would go right.
    const threshold = cut < high ? cut : low;
    const middle = this.#part(from, to, feature, threshold);
    tree.feature[node] = feature;
    tree.threshold[node] = threshold;
    tree.left[node] = this.#growNode(from, middle, depth + 1);
    tree.right[node] = this.#growNode(middle, to, depth + 1);
    return node - this.#root;
  }

  /** Drawn evenly among the features that vary here; -1 where none does. */
  #chooseFeature(from: number, to: number): number {
    const offsets = this.#offsets;
    const drawn = this.#drawn;
    const size = offsets.length;
    let varying = 0;
    for (let feature = 0; feature < this.#features; feature++) {
      const first = feature * size;
      let low = Number.POSITIVE_INFINITY;
      let high = Number.NEGATIVE_INFINITY;
      for (let i = from; i < to; i++) {
        const x = drawn[first + offsets[i]!]!;
        if (x < low) low = x;
        if (x > high) high = x;
      }
      this.#lows[feature] = low;
      this.#highs[feature] = high;
      if (high > low) this.#varying[varying++] = feature;
    }
    // Drawn in any case: what is drawn next must not depend on it.
    const chosen = this.#random.below(varying);
    return varying === 0 ? -1 : this.#varying[chosen]!;
  }

  /** Offsets that go left first, each side in the order it had. @returns where the right side begins */
  #part(from: number, to: number, feature: number, threshold: number): number {
    const offsets = this.#offsets;
    const aside = this.#aside;
    const drawn = this.#drawn;
    const first = feature * offsets.length;
    let left = from;
    let right = 0;
    for (let i = from; i < to; i++) {
      const offset = offsets[i]!;
      if (drawn[first + offset]! <= threshold) offsets[left++] = offset;
      else aside[right++] = offset;
    }
    for (let i = 0; i < right; i++) offsets[left + i] = aside[i]!;
    return left;
  }
}
