import { MOMENTS_PER_METRIC } from '../core/features.ts';
import type { IsolationForest, IsolationTree } from '../core/isolation-forest.ts';
import { NODE_BYTES, PAIRS_PER_METRIC } from '../core/metric-forests.ts';
import { type MetricForestsModel, type Model, REFERENCE_QUANTILES } from '../core/model.ts';
import { driftArrays, driftOf } from './artifact-drift.ts';
import { ArtifactError } from './artifact-error.ts';
import type { Header } from './artifact-header.ts';

/** What stands in an artifact's arrays, and what has to be true of it before anything runs on it. */

/** No term of a metric is above this (metric-forests.ts, the 0.01 of u). */
const MAX_TERM = 100;
/** In place of a feature: this node is a leaf. */
const LEAF = 0xffffffff;
/** 2^32 rows a tree, as scikit-learn limits the depth; deeper ones are nobody's. */
const MAX_DEPTH = 32;

export type ArrayKind = 'f64' | 'u32' | 'u8';
export type Numbers = Float64Array | Uint32Array | Uint8Array;
export type NamedArray = readonly [name: string, kind: ArrayKind, numbers: Numbers];

/** The arrays of a model, in the order in which they are written. */
export function arraysOf(model: Model): NamedArray[] {
  const common: NamedArray[] = [
    ['jumpScales', 'f64', model.surprise.q],
    ['constants', 'f64', model.stillness.constants],
    ['tolerances', 'f64', model.stillness.tolerances],
    ['rangeLows', 'f64', model.ranges.lows],
    ['rangeHighs', 'f64', model.ranges.highs],
    ['rangeMargins', 'f64', model.ranges.margins],
    ['referenceMetrics', 'f64', model.reference.metrics],
    ['referenceScore', 'f64', model.reference.score],
    ['spreads', 'f64', model.reference.spreads],
    ['longestRuns', 'u32', model.stillness.longestRuns],
    ...driftArrays(model.drift),
  ];
  if (model.detector === 'metric-forests') {
    return [
      ['moments', 'f64', model.features.moments],
      ['termMeans', 'f64', model.forests.termMeans],
      ...common,
      ['roots', 'u32', model.forests.roots],
      ['nodes', 'u8', model.forests.nodes],
    ];
  }
  return [['fills', 'f64', model.fills], ...common, ...treeArrays(model.forest)];
}

/** Nodes of all trees, one after the other, each tree in preorder: the left child follows its parent. */
function treeArrays({ trees }: IsolationForest): NamedArray[] {
  const nodes = trees.reduce((sum, tree) => sum + tree.feature.length, 0);
  const treeSizes = Uint32Array.from(trees, (tree) => tree.feature.length);
  const cuts = new Float64Array(nodes);
  const splits = new Uint32Array(nodes);
  const rights = new Uint32Array(nodes);
  const samples = new Uint32Array(nodes);
  let at = 0;
  for (const tree of trees) {
    const { feature, threshold, left, right } = tree;
    for (let node = 0; node < feature.length; node++, at++) {
      const leaf = (feature[node] as number) < 0;
      if (!leaf && left[node] !== node + 1) throw new Error('a tree is not in preorder');
      splits[at] = leaf ? LEAF : (feature[node] as number);
      cuts[at] = threshold[node] as number;
      rights[at] = leaf ? 0 : (right[node] as number);
      samples[at] = tree.samples[node] as number;
    }
  }
  return [
    ['cuts', 'f64', cuts],
    ['treeSizes', 'u32', treeSizes],
    ['splits', 'u32', splits],
    ['rights', 'u32', rights],
    ['nodeSamples', 'u32', samples],
  ];
}

/** The model of a header that was checked, and of its arrays. @throws ArtifactError */
export function modelOf(header: Header, arrays: ReadonlyMap<string, Numbers>): Model {
  const metrics = header.schema.length;
  const f64 = (name: string, length: number): Float64Array => take(arrays, name, length, Float64Array);
  const u32 = (name: string, length: number): Uint32Array => take(arrays, name, length, Uint32Array);
  const parts = {
    schema: header.schema,
    budget: header.budget,
    contamination: header.contamination,
    thresholds: header.thresholds,
    hosts: header.hosts,
    provenance: header.provenance,
    surprise: {
      parameters: header.surpriseParameters,
      q: f64('jumpScales', metrics * header.surpriseParameters.spans.length),
    },
    stillness: {
      constants: f64('constants', metrics),
      tolerances: f64('tolerances', metrics),
      longestRuns: u32('longestRuns', metrics),
    },
    ranges: {
      span: header.levelSpan,
      lows: f64('rangeLows', metrics),
      highs: f64('rangeHighs', metrics),
      margins: f64('rangeMargins', metrics),
    },
    reference: {
      metrics: f64('referenceMetrics', metrics * REFERENCE_QUANTILES),
      score: f64('referenceScore', REFERENCE_QUANTILES),
      spreads: f64('spreads', metrics),
    },
    drift: driftOf(header.drift, metrics + 1, f64, u32, (name) => arrays.has(name)),
  };
  positive('jumpScales', parts.surprise.q);
  positive('tolerances', parts.stillness.tolerances);
  positive('rangeMargins', parts.ranges.margins);
  positive('spreads', parts.reference.spreads);
  if (header.detector === 'isolation-forest') {
    const fills = f64('fills', metrics);
    finite('fills', fills);
    return { detector: 'isolation-forest', ...parts, fills, forest: isolationForest(header, arrays) };
  }
  const model: MetricForestsModel = {
    detector: 'metric-forests',
    ...parts,
    features: { windows: header.windows, moments: f64('moments', metrics * MOMENTS_PER_METRIC) },
    forests: {
      metrics,
      trees: header.forest.trees,
      rowsPerTree: header.forest.rowsPerTree,
      termMeans: f64('termMeans', metrics),
      roots: u32('roots', metrics * PAIRS_PER_METRIC * header.forest.trees),
      nodes: bytes(arrays, 'nodes'),
    },
  };
  const { moments } = model.features;
  positive(
    'moments',
    moments.filter((_, i) => i % 2 === 1),
  );
  finite('moments', moments);
  positive('termMeans', model.forests.termMeans, MAX_TERM);
  checkMetricTrees(model);
  return model;
}

function bytes(arrays: ReadonlyMap<string, Numbers>, name: string): Uint8Array {
  const array = arrays.get(name);
  if (!(array instanceof Uint8Array)) throw new ArtifactError('badArray', `array "${name}" is missing`);
  return array;
}

function take<T extends Numbers>(
  arrays: ReadonlyMap<string, Numbers>,
  name: string,
  length: number,
  type: abstract new (...args: never[]) => T,
): T {
  const array = arrays.get(name);
  if (!(array instanceof type))
    throw new ArtifactError('badArray', `array "${name}" is missing or of another kind`);
  if (array.length !== length) {
    throw new ArtifactError('badArray', `array "${name}" has ${array.length} entries, ${length} expected`);
  }
  return array;
}

/** Divisors must be positive and finite: one zero there and every score is NaN. */
function positive(name: string, values: Float64Array, most = Number.MAX_VALUE): void {
  values.forEach((x, i) => {
    if (!(x > 0 && x <= most)) {
      throw new ArtifactError('badArray', `array "${name}" has ${x} at ${i}, a positive number expected`);
    }
  });
}

function finite(name: string, values: Float64Array): void {
  if (!values.every(Number.isFinite)) {
    throw new ArtifactError('badArray', `array "${name}" has a number that is not finite`);
  }
}

/** Every walk must end inside its own tree: children come after their parent, and before the next tree. */
function checkMetricTrees(model: MetricForestsModel): void {
  const { nodes, roots, rowsPerTree } = model.forests;
  if (nodes.length % NODE_BYTES !== 0)
    throw new ArtifactError('badTree', 'nodes do not come in tens of bytes');
  const count = nodes.length / NODE_BYTES;
  for (let tree = 0; tree < roots.length; tree++) {
    const first = roots[tree] as number;
    const end = tree + 1 < roots.length ? (roots[tree + 1] as number) : count;
    if (first >= end || end > count || (tree === 0 && first !== 0)) {
      throw new ArtifactError('badTree', `tree ${tree} has no nodes`);
    }
    for (let node = first; node < end; node++) {
      const at = node * NODE_BYTES;
      const dimension = nodes[at] as number;
      const right = first + ((nodes[at + 6] as number) | ((nodes[at + 7] as number) << 8));
      const size = (nodes[at + 8] as number) | ((nodes[at + 9] as number) << 8);
      const codes = nodes.subarray(at + 1, at + 6);
      const inner = dimension < 2;
      const [, low0, high0, low1, high1] = codes as unknown as [number, number, number, number, number];
      if (
        dimension > 2 ||
        size > rowsPerTree ||
        codes.includes(255) ||
        low0 > high0 ||
        low1 > high1 ||
        (inner && (right <= node + 1 || right >= end))
      ) {
        throw new ArtifactError('badTree', `tree ${tree} has a broken node ${node - first}`);
      }
    }
  }
}

function isolationForest(header: Header, arrays: ReadonlyMap<string, Numbers>): IsolationForest {
  const metrics = header.schema.length;
  const treeSizes = take(arrays, 'treeSizes', header.forest.trees, Uint32Array);
  const nodes = treeSizes.reduce((sum, size) => sum + size, 0);
  const cuts = take(arrays, 'cuts', nodes, Float64Array);
  const splits = take(arrays, 'splits', nodes, Uint32Array);
  const rights = take(arrays, 'rights', nodes, Uint32Array);
  const samples = take(arrays, 'nodeSamples', nodes, Uint32Array);
  finite('cuts', cuts);
  let first = 0;
  const trees = Array.from(treeSizes, (size, number): IsolationTree => {
    const part = <T extends Numbers>(array: T): T => array.subarray(first, first + size) as T;
    const split = part(splits);
    const tree: IsolationTree = {
      feature: Int32Array.from(split, (feature) => (feature === LEAF ? -2 : feature)),
      threshold: part(cuts),
      left: Int32Array.from(split, (feature, node) => (feature === LEAF ? -1 : node + 1)),
      right: Int32Array.from(part(rights), (right, node) => (split[node] === LEAF ? -1 : right)),
      samples: part(samples),
    };
    first += size;
    const broken = brokenNode(tree, metrics);
    if (broken !== null) throw new ArtifactError('badTree', `tree ${number} has a broken node ${broken}`);
    return tree;
  });
  return { features: metrics, rowsPerTree: header.forest.rowsPerTree, trees };
}

/**
 * The first node of a tree in preorder that no walk may meet, or null. Each node but the root has one parent before
 * it, no walk is deeper than MAX_DEPTH, and children share their parent's rows: TreeSHAP divides by those.
 */
export function brokenNode(tree: Omit<IsolationTree, 'threshold'>, features: number): number | null {
  const { feature, left, right, samples } = tree;
  const count = feature.length;
  const depths = new Uint8Array(count);
  const parents = new Uint8Array(count);
  for (let node = 0; node < count; node++) {
    const rows = samples[node] as number;
    if (rows < 1 || (node > 0 && parents[node] !== 1)) return node;
    if ((feature[node] as number) < 0) continue;
    const depth = (depths[node] as number) + 1;
    const [low, high] = [left[node] as number, right[node] as number];
    if ((feature[node] as number) >= features || depth > MAX_DEPTH) return node;
    if (low !== node + 1 || high <= low || high >= count) return node;
    if ((samples[low] as number) + (samples[high] as number) !== rows) return node;
    for (const child of [low, high]) {
      depths[child] = depth;
      parents[child] = (parents[child] as number) + 1;
    }
  }
  return count === 0 ? 0 : null;
}
