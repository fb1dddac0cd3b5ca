import { CODE_VALUES, codeAbove, codeBelow, codeNearest } from './companding.ts';
import { FEATURES_PER_METRIC, Moments, SCORED_ROWS_PER_STEP, type Stepwise } from './features.ts';
import { ln } from './math.ts';
import type { Random } from './random.ts';

/**
 * metric-forests: small isolation forests per metric over pairs of short-term features, with a score that sees
 * how far outside the training range a value is.
 *
 * A forest holds (z, m), (z, e), (z, s) of each metric, `trees` trees each over `rowsPerTree` training rows drawn
 * with replacement. At a node with the bounding box of its own rows, a point outside is separated there with
 * p = e / (range + e), e its summed distance outside; the expected path length E weighs each depth by that.
 * Score of a pair: u = 1 / max(mean E / c(rowsPerTree), 0.01); of a metric: the mean of its three; of the host:
 * the mean over metrics. Additive, so a metric's exact Shapley value is its own term minus its training mean.
 */
export const PAIRS_PER_METRIC = 3;

/**
 * A node takes 10 bytes: [dimension or 2 for a leaf, cut, low0, high0, low1, high1, right (u16), size (u16)].
 * The left child follows its parent; `right` counts nodes from the root of its tree. Numbers are codes of
 * companding.ts, boxes rounded outwards.
 */
export const NODE_BYTES = 10;
const LEAF = 2;

export interface MetricForests {
  readonly metrics: number;
  readonly trees: number;
  readonly rowsPerTree: number;
  /** All nodes, tree after tree: metric-major, then pair, then tree. */
  readonly nodes: Uint8Array;
  /** Index of each tree's first node; `metrics * 3 * trees` of them. */
  readonly roots: Uint32Array;
  /** Training mean of each metric's term: what a missing metric scores, and the base of the contributions. */
  readonly termMeans: Float64Array;
}

export interface ForestOptions {
  readonly trees: number;
  readonly rowsPerTree: number;
  readonly maxDepth: number;
}
export const FOREST_DEFAULTS: ForestOptions = { trees: 4, rowsPerTree: 256, maxDepth: 8 };

/** Mean path length of an unsuccessful search in a binary tree of n (Liu et al. 2008, eq. 1). */
export function averagePathLength(n: number): number {
  return AVERAGE_PATH_LENGTHS[n] ?? formulaOf(n);
}

function formulaOf(n: number): number {
  if (n <= 1) return 0;
  if (n === 2) return 1;
  return 2 * (ln(n - 1) + 0.5772156649015329) - (2 * (n - 1)) / n;
}

/** Each leaf of each tree asks: a logarithm there was half of a standard forest's time. */
const AVERAGE_PATH_LENGTHS = Float64Array.from({ length: 257 }, (_, n) => formulaOf(n));

/**
 * @param features training rows drawn from all of them: row-major, rows x metrics x 4. Rows where a metric is
 *   NaN are left out for it.
 */
export function* fitMetricForests(
  features: Float64Array,
  metrics: number,
  random: Random,
  options: ForestOptions = FOREST_DEFAULTS,
): Stepwise<MetricForests> {
  const width = metrics * FEATURES_PER_METRIC;
  const rows = features.length / width;
  const grown: Uint8Array[] = [];
  let nodes = 0;
  const roots = new Uint32Array(metrics * PAIRS_PER_METRIC * options.trees);
  const x = new Float64Array(options.rowsPerTree);
  const y = new Float64Array(options.rowsPerTree);
  let tree = 0;
  for (let metric = 0; metric < metrics; metric++) {
    const usable = usableRows(features, rows, width, metric);
    for (let pair = 0; pair < PAIRS_PER_METRIC; pair++) {
      for (let t = 0; t < options.trees; t++) {
        roots[tree++] = nodes;
        const size = usable.length === 0 ? 0 : options.rowsPerTree;
        for (let i = 0; i < size; i++) {
          const at = (usable[random.below(usable.length)] as number) * width + metric * FEATURES_PER_METRIC;
          x[i] = features[at] as number;
          y[i] = features[at + 1 + pair] as number;
        }
        const index = Array.from({ length: size }, (_, i) => i);
        const bytes: number[] = [];
        growNode(bytes, index, [x, y], 0, options.maxDepth, random);
        grown.push(new Uint8Array(bytes));
        nodes += bytes.length / NODE_BYTES;
        yield;
      }
    }
  }
  const forests: MetricForests = {
    metrics,
    trees: options.trees,
    rowsPerTree: options.rowsPerTree,
    nodes: joined(grown, nodes * NODE_BYTES),
    roots,
    termMeans: new Float64Array(metrics),
  };
  return { ...forests, termMeans: yield* meanTerms(forests, features, rows) };
}

function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function usableRows(features: Float64Array, rows: number, width: number, metric: number): Uint32Array {
  const usable = new Uint32Array(rows);
  let count = 0;
  for (let row = 0; row < rows; row++) {
    if (!Number.isNaN(features[row * width + metric * FEATURES_PER_METRIC])) usable[count++] = row;
  }
  return usable.subarray(0, count);
}

/** Appends the subtree over `index` to the bytes of its tree. */
function growNode(
  bytes: number[],
  index: readonly number[],
  points: readonly [Float64Array, Float64Array],
  depth: number,
  maxDepth: number,
  random: Random,
): void {
  const at = bytes.length;
  const box = points.map((values) => {
    let low = Number.POSITIVE_INFINITY;
    let high = Number.NEGATIVE_INFINITY;
    for (const i of index) {
      const v = values[i] as number;
      if (v < low) low = v;
      if (v > high) high = v;
    }
    return index.length === 0 ? [0, 0] : [low, high];
  }) as [[number, number], [number, number]];
  const codes = box.flatMap(([low, high]) => [codeBelow(low), codeAbove(high)]);
  bytes.push(LEAF, 0, ...codes, 0, 0, index.length & 255, index.length >> 8);
  const range0 = box[0][1] - box[0][0];
  const range1 = box[1][1] - box[1][0];
  if (index.length <= 1 || depth >= maxDepth || range0 + range1 === 0) return;
  const dimension = random.float() * (range0 + range1) < range0 ? 0 : 1;
  const [low, high] = box[dimension];
  // The cut that is stored is the cut that parts the rows: a rounded one may part none, and ends the branch.
  const cut = codeNearest(low + random.float() * (high - low));
  const cutValue = CODE_VALUES[cut] as number;
  const values = points[dimension];
  const left = index.filter((i) => (values[i] as number) <= cutValue);
  if (left.length === 0 || left.length === index.length) return;
  const right = index.filter((i) => (values[i] as number) > cutValue);
  bytes[at] = dimension;
  bytes[at + 1] = cut;
  growNode(bytes, left, points, depth + 1, maxDepth, random);
  const rightNode = bytes.length / NODE_BYTES;
  bytes[at + 6] = rightNode & 255;
  bytes[at + 7] = rightNode >> 8;
  growNode(bytes, right, points, depth + 1, maxDepth, random);
}

function* meanTerms(forests: MetricForests, features: Float64Array, rows: number): Stepwise<Float64Array> {
  const scorer = new MetricForestsScorer(forests);
  const terms = Array.from({ length: forests.metrics }, () => new Moments());
  const width = forests.metrics * FEATURES_PER_METRIC;
  for (let row = 0; row < rows; row++) {
    scorer.score(features.subarray(row * width, (row + 1) * width));
    for (let metric = 0; metric < forests.metrics; metric++) {
      if (Number.isNaN(features[row * width + metric * FEATURES_PER_METRIC])) continue;
      terms[metric]?.add(scorer.terms[metric] as number);
    }
    if (row % SCORED_ROWS_PER_STEP === SCORED_ROWS_PER_STEP - 1) yield;
  }
  return Float64Array.from(terms, (term) => (term.count > 0 ? term.mean : 1));
}

/** Scores feature vectors; keeps no state between calls but its scratch space. */
export class MetricForestsScorer {
  readonly #forests: MetricForests;
  readonly #leafPath: Float64Array;
  readonly #normal: number;
  /** Term of each metric in the last score: the mean of its three u. */
  readonly terms: Float64Array;

  constructor(forests: MetricForests) {
    this.#forests = forests;
    this.#leafPath = Float64Array.from({ length: forests.rowsPerTree + 1 }, (_, n) => averagePathLength(n));
    this.#normal = averagePathLength(forests.rowsPerTree);
    this.terms = Float64Array.from(forests.termMeans);
  }

  /** Mean of the metrics' training means: the score of "nothing known". */
  get baseValue(): number {
    let sum = 0;
    for (const term of this.#forests.termMeans) sum += term;
    return sum / this.#forests.metrics;
  }

  /** @param x metrics x 4 features; a metric with NaN contributes its training mean, that is, nothing. */
  score(x: ArrayLike<number>): number {
    const { metrics, trees, roots, termMeans } = this.#forests;
    let total = 0;
    let tree = 0;
    for (let metric = 0; metric < metrics; metric++) {
      const z = x[metric * FEATURES_PER_METRIC] as number;
      if (Number.isNaN(z)) {
        this.terms[metric] = termMeans[metric] as number;
        tree += PAIRS_PER_METRIC * trees;
      } else {
        let sum = 0;
        for (let pair = 1; pair <= PAIRS_PER_METRIC; pair++) {
          const other = x[metric * FEATURES_PER_METRIC + pair] as number;
          let path = 0;
          for (let t = 0; t < trees; t++) path += this.#path(roots[tree++] as number, z, other);
          const relative = path / trees / this.#normal;
          sum += 1 / (relative > 0.01 ? relative : 0.01);
        }
        this.terms[metric] = sum / PAIRS_PER_METRIC;
      }
      total += this.terms[metric] as number;
    }
    return total / metrics;
  }

  /** Expected path length of the point (x0, x1) in the tree whose first node is `root`. */
  #path(root: number, x0: number, x1: number): number {
    const nodes = this.#forests.nodes;
    let at = root * NODE_BYTES;
    let weight = 1;
    let path = 0;
    for (let depth = 0; ; depth++) {
      const low0 = CODE_VALUES[nodes[at + 2] as number] as number;
      const high0 = CODE_VALUES[nodes[at + 3] as number] as number;
      const low1 = CODE_VALUES[nodes[at + 4] as number] as number;
      const high1 = CODE_VALUES[nodes[at + 5] as number] as number;
      let outside = 0;
      if (x0 < low0) outside = low0 - x0;
      else if (x0 > high0) outside = x0 - high0;
      if (x1 < low1) outside += low1 - x1;
      else if (x1 > high1) outside += x1 - high1;
      if (outside > 0) {
        const p = outside / (high0 - low0 + (high1 - low1) + outside);
        path += weight * p * depth;
        weight *= 1 - p;
        if (weight < 1e-3) return path + weight * depth;
      }
      const dimension = nodes[at] as number;
      if (dimension === LEAF) {
        const size = (nodes[at + 8] as number) | ((nodes[at + 9] as number) << 8);
        return path + weight * (depth + (this.#leafPath[size] as number));
      }
      const cut = CODE_VALUES[nodes[at + 1] as number] as number;
      if ((dimension === 0 ? x0 : x1) <= cut) at += NODE_BYTES;
      else at = (root + ((nodes[at + 6] as number) | ((nodes[at + 7] as number) << 8))) * NODE_BYTES;
    }
  }

  /** Exact Shapley values of the last score: they add up to score - baseValue. */
  contributions(out: Float64Array): void {
    const { metrics, termMeans } = this.#forests;
    for (let metric = 0; metric < metrics; metric++) {
      out[metric] = ((this.terms[metric] as number) - (termMeans[metric] as number)) / metrics;
    }
  }
}
