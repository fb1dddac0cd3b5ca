import {
  ISOLATION_FOREST_DEFAULTS,
  type IsolationForest,
  type IsolationForestOptions,
  type IsolationTree,
} from '../../core/isolation-forest.ts';
import type { Random } from '../../core/random.ts';

/** The fit as it was first written, with lists and recursion: what the fast one has to give bit by bit. */
export function referenceForest(
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
