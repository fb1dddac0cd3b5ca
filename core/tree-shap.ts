import type { IsolationForest, IsolationTree } from './isolation-forest.ts';
import { averagePathLength } from './metric-forests.ts';

/**
 * Exact Shapley values of the mean path length of an isolation forest, path-dependent (Lundberg et al. 2020,
 * "From local explanations to global understanding with explainable AI for trees", algorithm 2). A negative value
 * shortens the path: it pushes towards anomaly.
 */

interface PathEntry {
  feature: number;
  zero: number;
  one: number;
  weight: number;
}

/** Mean path length over the training rows of every tree: what the Shapley values start from. */
export function expectedPathLength(forest: IsolationForest): number {
  let base = 0;
  for (const tree of forest.trees) base += expectedValue(tree, leafValues(tree));
  return base / forest.trees.length;
}

export function treeShap(
  forest: IsolationForest,
  row: ArrayLike<number>,
): { values: Float64Array; base: number } {
  const values = new Float64Array(forest.features);
  let base = 0;
  for (const tree of forest.trees) {
    const leaf = leafValues(tree);
    base += expectedValue(tree, leaf);
    descend(tree, leaf, row, values, 0, [], 1, 1, -1);
  }
  for (let i = 0; i < values.length; i++) values[i] = (values[i] as number) / forest.trees.length;
  return { values, base: base / forest.trees.length };
}

/** Depth plus c(size) at each leaf; 0 elsewhere. */
function leafValues(tree: IsolationTree): Float64Array {
  const values = new Float64Array(tree.feature.length);
  const visit = (node: number, depth: number): void => {
    if ((tree.feature[node] as number) < 0) {
      values[node] = depth + averagePathLength(tree.samples[node] as number);
      return;
    }
    visit(tree.left[node] as number, depth + 1);
    visit(tree.right[node] as number, depth + 1);
  };
  visit(0, 0);
  return values;
}

function expectedValue(tree: IsolationTree, leaf: Float64Array): number {
  let sum = 0;
  for (let node = 0; node < leaf.length; node++) {
    if ((tree.feature[node] as number) < 0) sum += (leaf[node] as number) * (tree.samples[node] as number);
  }
  return sum / (tree.samples[0] as number);
}

function extend(path: readonly PathEntry[], zero: number, one: number, feature: number): PathEntry[] {
  const length = path.length;
  const out = path.map((entry) => ({ ...entry }));
  out.push({ feature, zero, one, weight: length === 0 ? 1 : 0 });
  for (let i = length - 1; i >= 0; i--) {
    const from = out[i] as PathEntry;
    const to = out[i + 1] as PathEntry;
    to.weight += (one * from.weight * (i + 1)) / (length + 1);
    from.weight = (zero * from.weight * (length - i)) / (length + 1);
  }
  return out;
}

function unwind(path: readonly PathEntry[], index: number): PathEntry[] {
  const last = path.length - 1;
  const out = path.map((entry) => ({ ...entry }));
  const { one, zero } = out[index] as PathEntry;
  let next = (out[last] as PathEntry).weight;
  for (let i = last - 1; i >= 0; i--) {
    const entry = out[i] as PathEntry;
    if (one !== 0) {
      const before = entry.weight;
      entry.weight = (next * (last + 1)) / ((i + 1) * one);
      next = before - (entry.weight * zero * (last - i)) / (last + 1);
    } else {
      entry.weight = (entry.weight * (last + 1)) / (zero * (last - i));
    }
  }
  for (let i = index; i < last; i++) {
    const entry = out[i] as PathEntry;
    const following = out[i + 1] as PathEntry;
    entry.feature = following.feature;
    entry.zero = following.zero;
    entry.one = following.one;
  }
  out.pop();
  return out;
}

function descend(
  tree: IsolationTree,
  leaf: Float64Array,
  row: ArrayLike<number>,
  values: Float64Array,
  node: number,
  path: readonly PathEntry[],
  zero: number,
  one: number,
  feature: number,
): void {
  let extended = extend(path, zero, one, feature);
  const split = tree.feature[node] as number;
  if (split < 0) {
    for (let i = 1; i < extended.length; i++) {
      const weight = unwind(extended, i).reduce((sum, entry) => sum + entry.weight, 0);
      const entry = extended[i] as PathEntry;
      values[entry.feature] =
        (values[entry.feature] as number) + weight * (entry.one - entry.zero) * (leaf[node] as number);
    }
    return;
  }
  const goLeft = (row[split] as number) <= (tree.threshold[node] as number);
  const hot = (goLeft ? tree.left[node] : tree.right[node]) as number;
  const cold = (goLeft ? tree.right[node] : tree.left[node]) as number;
  let zeroBefore = 1;
  let oneBefore = 1;
  const seen = extended.findIndex((entry) => entry.feature === split);
  if (seen >= 0) {
    const entry = extended[seen] as PathEntry;
    zeroBefore = entry.zero;
    oneBefore = entry.one;
    extended = unwind(extended, seen);
  }
  const total = tree.samples[node] as number;
  const share = (child: number): number => ((tree.samples[child] as number) / total) * zeroBefore;
  descend(tree, leaf, row, values, hot, extended, share(hot), oneBefore, split);
  descend(tree, leaf, row, values, cold, extended, share(cold), 0, split);
}
