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
  const depthLimit = Math.ceil(log2(Math.max(size, 2)));
  const trees: IsolationTree[] = [];
  for (let t = 0; t < options.trees; t++) {
    const index = drawWithoutReplacement(count, size, random);
    trees.push(growTree(rows, features, index, depthLimit, random));
  }
  return { features, rowsPerTree: size, trees };
}

/** Smallest k with 2^k >= n. */
function log2(n: number): number {
  let k = 0;
  for (let power = 1; power < n; power *= 2) k++;
  return k;
}

function drawWithoutReplacement(count: number, size: number, random: Random): number[] {
  // Partial Fisher-Yates over a sparse permutation.
  const moved = new Map<number, number>();
  const out: number[] = [];
  for (let i = 0; i < size; i++) {
    const j = i + random.below(count - i);
    out.push(moved.get(j) ?? j);
    moved.set(j, moved.get(i) ?? i);
  }
  return out;
}

function growTree(
  rows: Float64Array,
  features: number,
  index: readonly number[],
  depthLimit: number,
  random: Random,
): IsolationTree {
  const feature: number[] = [];
  const threshold: number[] = [];
  const left: number[] = [];
  const right: number[] = [];
  const samples: number[] = [];
  const grow = (members: readonly number[], depth: number): number => {
    const node = feature.length;
    feature.push(-2);
    threshold.push(-2);
    left.push(-1);
    right.push(-1);
    samples.push(members.length);
    if (members.length <= 1 || depth >= depthLimit) return node;
    const split = chooseSplit(rows, features, members, random);
    if (split === null) return node;
    const goesLeft = (row: number): boolean =>
      (rows[row * features + split.feature] as number) <= split.threshold;
    feature[node] = split.feature;
    threshold[node] = split.threshold;
    left[node] = grow(members.filter(goesLeft), depth + 1);
    right[node] = grow(
      members.filter((row) => !goesLeft(row)),
      depth + 1,
    );
    return node;
  };
  grow(index, 0);
  return {
    feature: Int32Array.from(feature),
    threshold: Float64Array.from(threshold),
    left: Int32Array.from(left),
    right: Int32Array.from(right),
    samples: Uint32Array.from(samples),
  };
}

/** A feature drawn evenly among those that vary here, and a cut uniform in its range; null where none varies. */
function chooseSplit(
  rows: Float64Array,
  features: number,
  members: readonly number[],
  random: Random,
): { feature: number; threshold: number } | null {
  const varying: { feature: number; low: number; high: number }[] = [];
  for (let feature = 0; feature < features; feature++) {
    let low = Number.POSITIVE_INFINITY;
    let high = Number.NEGATIVE_INFINITY;
    for (const row of members) {
      const x = rows[row * features + feature] as number;
      if (x < low) low = x;
      if (x > high) high = x;
    }
    if (high > low) varying.push({ feature, low, high });
  }
  const chosen = varying[random.below(varying.length)];
  if (chosen === undefined) return null;
  const cut = chosen.low + random.float() * (chosen.high - chosen.low);
  // Rounding may reach `high`, and then nothing would go right.
  return { feature: chosen.feature, threshold: cut < chosen.high ? cut : chosen.low };
}
