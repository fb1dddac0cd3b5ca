import type { IsolationForest, IsolationTree } from './isolation-forest.ts';
import { averagePathLength } from './metric-forests.ts';
import { gaussLegendre } from './quadrature.ts';

/**
 * Exact Shapley values of the mean path length of an isolation forest, path-dependent (Lundberg et al. 2020, "From
 * local explanations to global understanding with explainable AI for trees"). A negative value shortens the path: it
 * pushes towards anomaly.
 *
 * A leaf's game is a product over the features on its path: a feature that is known gives o (1 if the row goes that
 * way, else 0), an unknown one z (the share of training rows that do). Its Shapley value is the integral over t from 0
 * to 1 of (o - z) times the product of all other features' t o + (1 - t) z (Owen's multilinear extension, 1972). That
 * is a polynomial of a degree below the number of features on the path, so a Gauss-Legendre rule with half as many
 * points is exact. Products are shared along a path and sums below a node, as in Linear TreeSHAP (Yu et al. 2022): each
 * node is met once, and nothing is allocated.
 */
export class TreeShap {
  /** Mean path length over the training rows of every tree: what the Shapley values start from. */
  readonly base: number;
  readonly #forest: IsolationForest;
  /** By tree and node: mean path length of the training rows below it; at a leaf depth plus c(size). */
  readonly #means: readonly Float64Array[];
  /** By tree and node: a bit for each feature that a node below splits on; empty for more features than bits. */
  readonly #below: readonly Int32Array[];
  readonly #points: number;
  readonly #t: Float64Array;
  readonly #weights: Float64Array;
  /** By feature and point, of the path walked: (o - z) / factor, and 1 / factor; factor = t o + (1 - t) z. */
  readonly #terms: Float64Array;
  readonly #inverses: Float64Array;
  /** By feature: z, or 0 once the row does not go that way. */
  readonly #shares: Float64Array;
  /** Features that the row leaves on this path. */
  #cold = 0;
  /** By depth and point: product of all factors; sum over the leaves below of value times product. */
  readonly #products: Float64Array;
  readonly #sums: Float64Array;
  /** By depth and point: term and inverse to be put back. */
  readonly #saved: Float64Array;
  #tree!: IsolationTree;
  #mean!: Float64Array;
  #masks!: Int32Array;
  #row: ArrayLike<number> = [];
  #values: Float64Array = new Float64Array(0);

  constructor(forest: IsolationForest) {
    const { trees, features } = forest;
    this.#forest = forest;
    this.#means = trees.map(meansBelow);
    this.base = this.#means.reduce((sum, means) => sum + (means[0] as number), 0) / trees.length;
    this.#below = trees.map((tree) => (features <= 32 ? featuresBelow(tree) : new Int32Array(0)));
    const depth = trees.reduce((most, tree) => Math.max(most, depthOf(tree)), 0);
    this.#points = Math.max(1, Math.ceil(Math.min(depth, features) / 2));
    const { nodes, weights } = gaussLegendre(this.#points);
    this.#t = nodes;
    this.#weights = weights;
    this.#terms = new Float64Array(features * this.#points);
    this.#inverses = new Float64Array(features * this.#points);
    this.#shares = new Float64Array(features);
    this.#products = new Float64Array((depth + 1) * this.#points);
    this.#sums = new Float64Array((depth + 1) * this.#points);
    this.#saved = new Float64Array(2 * (depth + 1) * this.#points);
  }

  /** @param out one value a feature; they add up to the mean path length minus `base` */
  explain(row: ArrayLike<number>, out: Float64Array): void {
    const { trees, features } = this.#forest;
    this.#row = row;
    this.#values = out;
    out.fill(0, 0, features);
    for (let t = 0; t < trees.length; t++) {
      this.#tree = trees[t] as IsolationTree;
      this.#mean = this.#means[t] as Float64Array;
      this.#masks = this.#below[t] as Int32Array;
      this.#terms.fill(0);
      this.#inverses.fill(1);
      this.#shares.fill(1);
      this.#products.fill(1, 0, this.#points);
      this.#cold = 0;
      this.#visit(0, 0);
    }
    for (let i = 0; i < features; i++) out[i] = (out[i] as number) / trees.length;
  }

  /** Leaves in #sums what stands below the node, and adds to the values what its edges are worth. */
  #visit(node: number, depth: number): void {
    const ending =
      this.#masks.length > 0 ? (this.#masks[node]! & ~this.#cold) === 0 : this.#tree.feature[node]! < 0;
    if (!ending) {
      this.#descend(node, depth);
      return;
    }
    // Nothing below depends on the row any more: the shares of the training rows decide.
    const mean = this.#mean[node]!;
    const points = this.#points;
    const at = depth * points;
    for (let q = at; q < at + points; q++) this.#sums[q] = this.#products[q]! * mean;
  }

  #descend(node: number, depth: number): void {
    const points = this.#points;
    const products = this.#products;
    const sums = this.#sums;
    const at = depth * points;
    const tree = this.#tree;
    const feature = tree.feature[node]!;
    const goLeft = this.#row[feature]! <= tree.threshold[node]!;
    const hot = goLeft ? tree.left[node]! : tree.right[node]!;
    const cold = goLeft ? tree.right[node]! : tree.left[node]!;
    const below = at + points;
    const share = tree.samples[hot]! / tree.samples[node]!;
    const before = this.#shares[feature]!;
    if (before === 0) {
      for (let q = 0; q < points; q++) products[below + q] = products[at + q]! * share;
      this.#visit(hot, depth + 1);
      for (let q = 0; q < points; q++) {
        sums[at + q] = sums[below + q]!;
        products[below + q] = products[at + q]! * (1 - share);
      }
      this.#visit(cold, depth + 1);
      for (let q = 0; q < points; q++) sums[at + q] = sums[at + q]! + sums[below + q]!;
      return;
    }
    const t = this.#t;
    const terms = this.#terms;
    const inverses = this.#inverses;
    const saved = this.#saved;
    const own = feature * points;
    const z = before * share;
    for (let q = 0; q < points; q++) {
      const factor = t[q]! + (1 - t[q]!) * z;
      const inverse = 1 / factor;
      saved[2 * (at + q)] = terms[own + q]!;
      saved[2 * (at + q) + 1] = inverses[own + q]!;
      products[below + q] = products[at + q]! * factor * inverses[own + q]!;
      inverses[own + q] = inverse;
      terms[own + q] = (1 - z) * inverse;
    }
    this.#shares[feature] = z;
    this.#visit(hot, depth + 1);
    let value = 0;
    const coldShare = before * (1 - share);
    for (let q = 0; q < points; q++) {
      const sum = sums[below + q]!;
      sums[at + q] = sum;
      value += this.#weights[q]! * sum * (terms[own + q]! - saved[2 * (at + q)]!);
      terms[own + q] = saved[2 * (at + q)]!;
      inverses[own + q] = saved[2 * (at + q) + 1]!;
      products[below + q] = products[at + q]! * (1 - t[q]!) * coldShare * inverses[own + q]!;
    }
    this.#shares[feature] = 0;
    this.#cold |= 1 << feature;
    this.#visit(cold, depth + 1);
    this.#cold &= ~(1 << feature);
    this.#shares[feature] = before;
    for (let q = 0; q < points; q++) {
      const sum = sums[below + q]!;
      sums[at + q] = sums[at + q]! + sum;
      value -= this.#weights[q]! * sum * (1 / (1 - t[q]!) + terms[own + q]!);
    }
    this.#values[feature] = this.#values[feature]! + value;
  }
}

export function treeShap(
  forest: IsolationForest,
  row: ArrayLike<number>,
): { values: Float64Array; base: number } {
  const values = new Float64Array(forest.features);
  const explainer = new TreeShap(forest);
  explainer.explain(row, values);
  return { values, base: explainer.base };
}

function meansBelow(tree: IsolationTree): Float64Array {
  const means = new Float64Array(tree.feature.length);
  const visit = (node: number, depth: number): number => {
    const samples = tree.samples[node] as number;
    if ((tree.feature[node] as number) < 0) means[node] = depth + averagePathLength(samples);
    else {
      const [left, right] = [tree.left[node] as number, tree.right[node] as number];
      const sum =
        visit(left, depth + 1) * (tree.samples[left] as number) +
        visit(right, depth + 1) * (tree.samples[right] as number);
      means[node] = sum / samples;
    }
    return means[node] as number;
  };
  visit(0, 0);
  return means;
}

function featuresBelow(tree: IsolationTree): Int32Array {
  const masks = new Int32Array(tree.feature.length);
  const visit = (node: number): number => {
    const feature = tree.feature[node] as number;
    if (feature >= 0) {
      masks[node] = (1 << feature) | visit(tree.left[node] as number) | visit(tree.right[node] as number);
    }
    return masks[node] as number;
  };
  visit(0);
  return masks;
}

/** Edges from the root to the deepest leaf. */
function depthOf(tree: IsolationTree): number {
  const visit = (node: number): number =>
    (tree.feature[node] as number) < 0
      ? 0
      : 1 + Math.max(visit(tree.left[node] as number), visit(tree.right[node] as number));
  return visit(0);
}
