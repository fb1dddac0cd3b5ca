import { type IsolationForest, type IsolationTree, pathLengthSum } from './isolation-forest.ts';
import { exp } from './math.ts';
import { averagePathLength } from './metric-forests.ts';

/** Rows that walk one tree before the next is looked at: tree and rows stay in the first-level cache. */
const BLOCK_ROWS = 256;
const BLOCK_BITS = 8;
/** Of the row's ranks: 1 MB. */
const RANKS_MAX = 1 << 18;

/**
 * An isolation forest laid out for scoring. Scores have the same bits as `isolationScore`.
 *
 * A walk compares ranks instead of numbers: of the feature's distinct thresholds, how many are below x. That is decided
 * once a row (binary search) and is exact for doubles, where thresholds rounded to float32 would be for float32 inputs
 * only. It makes a node one 32-bit word: | rank of the threshold | feature | right child |, siblings side by side, and
 * a step arithmetic without a branch: next = right - (rank of x <= rank of threshold). The rest of the word, never 0,
 * turns `<` into `<=`. A leaf has a rank above all, so that it leads to itself: each walk takes as many steps as the
 * tree is deep, and four take turns while memory answers. NaN ranks above every threshold: it goes right.
 *
 * Forests that need more than 31 bits (beyond some thousand rows a tree) are walked as they are.
 */
export class CompactForest {
  readonly #forest: IsolationForest;
  readonly #normal: number;
  /** Distinct thresholds of each feature, ascending. */
  readonly #cuts: readonly Float64Array[];
  readonly #packed: boolean;
  readonly #rightMask: number;
  readonly #featureMask: number;
  readonly #rankShift: number;
  readonly #words: Int32Array;
  /** Depth plus c(size) of each leaf, at its word's index. */
  readonly #leaves: Float64Array;
  readonly #trees: readonly Int32Array[];
  readonly #roots: Int32Array;
  readonly #depths: Int32Array;
  /** Ranks of a block, shifted to their place in the word: feature-major, so that masking a word addresses it. */
  readonly #ranks: Int32Array;
  readonly #sums = new Float64Array(BLOCK_ROWS);

  constructor(forest: IsolationForest) {
    const { trees, features, rowsPerTree } = forest;
    this.#forest = forest;
    this.#normal = trees.length * averagePathLength(rowsPerTree);
    this.#cuts = distinctThresholds(forest);
    const largest = trees.reduce((most, { feature }) => Math.max(most, feature.length), 0);
    const rightBits = Math.max(BLOCK_BITS, bitsFor(largest));
    const featureBits = bitsFor(features - 1);
    const ranks = this.#cuts.reduce((most, { length }) => Math.max(most, length), 0);
    this.#rankShift = rightBits + featureBits;
    this.#packed = this.#rankShift + bitsFor(ranks + 1) <= 31 && features << rightBits <= RANKS_MAX;
    this.#rightMask = (1 << rightBits) - 1;
    this.#featureMask = ((1 << featureBits) - 1) << rightBits;
    const nodes = this.#packed ? trees.reduce((sum, { feature }) => sum + feature.length, 0) : 0;
    this.#words = new Int32Array(nodes);
    this.#leaves = new Float64Array(nodes);
    this.#ranks = new Int32Array(this.#packed ? features << rightBits : 0);
    this.#roots = new Int32Array(trees.length);
    this.#depths = new Int32Array(trees.length);
    this.#trees = this.#packed ? this.#layTrees(rightBits, ranks + 1) : [];
  }

  #layTrees(rightBits: number, leafRank: number): Int32Array[] {
    const rankOf = this.#cuts.map((cuts) => new Map(Array.from(cuts, (cut, rank) => [cut, rank])));
    let root = 0;
    return this.#forest.trees.map((tree, t) => {
      const wordOf = (node: number, right: number): number => {
        const feature = tree.feature[node] as number;
        const rank =
          feature < 0 ? leafRank : (rankOf[feature]?.get(tree.threshold[node] as number) as number);
        return (rank << this.#rankShift) | (Math.max(feature, 0) << rightBits) | right;
      };
      this.#roots[t] = root;
      this.#depths[t] = this.#layTree(tree, root, wordOf);
      const words = this.#words.subarray(root, root + tree.feature.length);
      root += tree.feature.length;
      return words;
    });
  }

  /** Breadth first, children counted from the root. @returns the tree's depth in edges */
  #layTree(tree: IsolationTree, root: number, wordOf: (node: number, right: number) => number): number {
    let level = [0];
    let at = 0;
    let free = 1;
    for (let depth = 0; ; depth++) {
      const below: number[] = [];
      for (const node of level) {
        if ((tree.feature[node] as number) < 0) {
          this.#leaves[root + at] = depth + averagePathLength(tree.samples[node] as number);
          this.#words[root + at] = wordOf(node, at + 1);
        } else {
          below.push(tree.left[node] as number, tree.right[node] as number);
          this.#words[root + at] = wordOf(node, free + 1);
          free += 2;
        }
        at++;
      }
      if (below.length === 0) return depth;
      level = below;
    }
  }

  /** Of a sum of path lengths. */
  scoreOf(sum: number): number {
    return exp((-Math.LN2 * sum) / this.#normal);
  }

  /** @param row finite values: NaN would silently go right (fill missing ones first) */
  score(row: Float64Array): number {
    return this.scoreOf(this.pathLengthSum(row));
  }

  /** @param rows row-major @param out one score a row, as many as it has room for */
  scoreRows(rows: Float64Array, out: Float64Array): void {
    const { features } = this.#forest;
    for (let from = 0; from < out.length; from += BLOCK_ROWS) {
      const size = Math.min(BLOCK_ROWS, out.length - from);
      if (this.#packed) this.#sumBlock(rows, from, size);
      for (let i = 0; i < size; i++) {
        const at = (from + i) * features;
        const sum = this.#packed
          ? (this.#sums[i] as number)
          : pathLengthSum(this.#forest, rows.subarray(at, at + features));
        out[from + i] = this.scoreOf(sum);
      }
    }
  }

  #sumBlock(rows: Float64Array, from: number, size: number): void {
    const { features } = this.#forest;
    for (let feature = 0; feature < features; feature++) {
      const cuts = this.#cuts[feature] as Float64Array;
      const first = feature * (this.#rightMask + 1);
      for (let i = 0; i < size; i++) {
        const x = rows[(from + i) * features + feature] as number;
        this.#ranks[first + i] = rankIn(cuts, x) << this.#rankShift;
      }
    }
    this.#sums.fill(0, 0, size);
    // Three more walks at the most, of whatever ranks stand there.
    const whole = Math.min(BLOCK_ROWS, (size + 3) & ~3);
    for (let t = 0; t < this.#trees.length; t++) {
      this.#walkRows(
        this.#trees[t] as Int32Array,
        this.#ranks,
        this.#leaves,
        this.#roots[t] as number,
        this.#depths[t] as number,
        whole,
      );
    }
  }

  #walkRows(
    words: Int32Array,
    ranks: Int32Array,
    leaves: Float64Array,
    root: number,
    depth: number,
    size: number,
  ): void {
    const right = this.#rightMask;
    const feature = this.#featureMask;
    const sums = this.#sums;
    for (let i = 0; i < size; i += 4) {
      let a = 0;
      let b = 0;
      let c = 0;
      let d = 0;
      for (let step = depth; step > 0; step--) {
        const wa = words[a]!;
        const wb = words[b]!;
        const wc = words[c]!;
        const wd = words[d]!;
        a = (wa & right) + ((ranks[(wa & feature) + i]! - wa) >> 31);
        b = (wb & right) + ((ranks[(wb & feature) + i + 1]! - wb) >> 31);
        c = (wc & right) + ((ranks[(wc & feature) + i + 2]! - wc) >> 31);
        d = (wd & right) + ((ranks[(wd & feature) + i + 3]! - wd) >> 31);
      }
      sums[i] = sums[i]! + leaves[root + a]!;
      sums[i + 1] = sums[i + 1]! + leaves[root + b]!;
      sums[i + 2] = sums[i + 2]! + leaves[root + c]!;
      sums[i + 3] = sums[i + 3]! + leaves[root + d]!;
    }
  }

  /** Sum of the path lengths over all trees, four trees at a time. @param row as in `score` */
  pathLengthSum(row: Float64Array): number {
    if (!this.#packed) return pathLengthSum(this.#forest, row);
    const ranks = this.#ranks;
    const stride = this.#rightMask + 1;
    for (let feature = 0; feature < this.#forest.features; feature++) {
      const rank = rankIn(this.#cuts[feature] as Float64Array, row[feature] as number);
      ranks[feature * stride] = rank << this.#rankShift;
    }
    const words = this.#words;
    const leaves = this.#leaves;
    const roots = this.#roots;
    const depths = this.#depths;
    const right = this.#rightMask;
    const feature = this.#featureMask;
    let sum = 0;
    let t = 0;
    for (; t + 4 <= roots.length; t += 4) {
      const [ra, rb, rc, rd] = [roots[t]!, roots[t + 1]!, roots[t + 2]!, roots[t + 3]!];
      let a = ra;
      let b = rb;
      let c = rc;
      let d = rd;
      let step = Math.max(depths[t]!, depths[t + 1]!, depths[t + 2]!, depths[t + 3]!);
      for (; step > 0; step--) {
        const wa = words[a]!;
        const wb = words[b]!;
        const wc = words[c]!;
        const wd = words[d]!;
        a = ra + (wa & right) + ((ranks[wa & feature]! - wa) >> 31);
        b = rb + (wb & right) + ((ranks[wb & feature]! - wb) >> 31);
        c = rc + (wc & right) + ((ranks[wc & feature]! - wc) >> 31);
        d = rd + (wd & right) + ((ranks[wd & feature]! - wd) >> 31);
      }
      // In the trees' order: another would be other bits.
      sum = sum + leaves[a]! + leaves[b]! + leaves[c]! + leaves[d]!;
    }
    for (; t < roots.length; t++) {
      let node = roots[t]!;
      for (let step = depths[t]!; step > 0; step--) {
        const word = words[node]!;
        node = roots[t]! + (word & right) + ((ranks[word & feature]! - word) >> 31);
      }
      sum += leaves[node]!;
    }
    return sum;
  }
}

/** Smallest k with n < 2^k. */
function bitsFor(n: number): number {
  let bits = 0;
  for (let rest = n; rest > 0; rest = Math.floor(rest / 2)) bits++;
  return bits;
}

function distinctThresholds({ features, trees }: IsolationForest): Float64Array[] {
  const sets = Array.from({ length: features }, () => new Set<number>());
  for (const { feature, threshold } of trees) {
    for (let node = 0; node < feature.length; node++)
      sets[feature[node] as number]?.add(threshold[node] as number);
  }
  return sets.map((set) => Float64Array.from(set).sort());
}

/** How many of the ascending cuts are below x; all of them for NaN. */
function rankIn(cuts: Float64Array, x: number): number {
  let low = 0;
  let count = cuts.length;
  while (count > 0) {
    const half = count >> 1;
    if (x <= cuts[low + half]!) count = half;
    else {
      low += half + 1;
      count -= half + 1;
    }
  }
  return low;
}
