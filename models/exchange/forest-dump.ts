import type { IsolationForest, IsolationTree } from '../../core/isolation-forest.ts';
import { REFERENCE_QUANTILES } from '../../core/model.ts';
import { brokenNode } from '../artifact-arrays.ts';
import { DumpError, Node } from './dump-reader.ts';
import { forDoubles } from './float32.ts';

/** A standard isolation forest as JSON (docs/MODELS.md): what `models export` and docs/scikit_learn_export.py write. */
export const DUMP_FORMAT = 'isolation-forest';
export const DUMP_VERSION = 1;
/** Nothing above is read: an artifact of the greatest size is smaller than this as JSON. */
export const MAX_DUMP_BYTES = 64 * 1024 * 1024;

const MOST_FEATURES = 1024;
const MOST_TREES = 1024;
const MOST_ROWS = 65_535;
/** A tree over MOST_ROWS rows has no more. */
const MOST_NODES = 2 * MOST_ROWS - 1;
const NAME_LENGTH = 128;

export interface ForestDump {
  readonly source: string | null;
  /** null: the dump does not say. */
  readonly features: readonly string[] | null;
  readonly forest: IsolationForest;
  /** Above this score a row is an anomaly. */
  readonly threshold: number;
  /** null: `auto`, the threshold of the paper, whatever share it cuts off. */
  readonly contamination: number | null;
  /** Of the training rows: 33 quantiles of each feature, and of the score. */
  readonly quantiles: readonly Float64Array[] | null;
  readonly scoreQuantiles: Float64Array | null;
}

/** @throws DumpError naming the JSON path */
export function parseForestDump(text: string): ForestDump {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw new DumpError(`not JSON: ${(error as Error).message}`);
  }
  const root = new Node(document, '');
  const format = root.key('format');
  if (format.value !== DUMP_FORMAT) format.fail(JSON.stringify(DUMP_FORMAT));
  root.key('formatVersion').whole(1, DUMP_VERSION);
  const count = root.key('featureCount').whole(1, MOST_FEATURES);
  const names = root.key('features');
  const features = names.absent ? null : namesOf(names.list(count, count));
  const contamination = root.key('contamination');
  const quantiles = root.key('quantiles');
  const scoreQuantiles = root.key('scoreQuantiles');
  const source = root.key('source');
  const inputs = root.key('inputs');
  if (inputs.value !== 'float32' && inputs.value !== 'float64') inputs.fail('"float32" or "float64"');
  const cutOf = inputs.value === 'float32' ? forDoubles : (threshold: number): number => threshold;
  return {
    source: source.absent ? null : source.text(NAME_LENGTH),
    features,
    forest: {
      features: count,
      rowsPerTree: root.key('maxSamples').whole(2, MOST_ROWS),
      trees: root
        .key('trees')
        .list(1, MOST_TREES)
        .map((tree) => treeOf(tree, count, cutOf)),
    },
    threshold: -root.key('offset').number(-1, 0),
    contamination: contamination.value === 'auto' ? null : shareOf(contamination),
    quantiles: quantiles.absent ? null : quantiles.list(count, count).map(quantilesOf),
    scoreQuantiles: scoreQuantiles.absent ? null : quantilesOf(scoreQuantiles),
  };
}

/** Names of columns. @throws DumpError */
function namesOf(nodes: readonly Node[]): string[] {
  const names = nodes.map((node) => node.text(NAME_LENGTH));
  const twice = nodes.find((_, i) => names.indexOf(names[i] as string) !== i);
  if (twice !== undefined) twice.fail('a name that is not there already');
  return names;
}

function shareOf(node: Node): number {
  const share = node.value;
  return typeof share === 'number' && share > 0 && share <= 0.5
    ? share
    : node.fail('"auto", or a share above 0, up to 0.5');
}

function quantilesOf(node: Node): Float64Array {
  const values = node.numbers(REFERENCE_QUANTILES, -Number.MAX_VALUE, Number.MAX_VALUE);
  for (let i = 1; i < values.length; i++) {
    if ((values[i] as number) < (values[i - 1] as number)) {
      new Node(values[i], `${node.path}[${i}]`).fail('a number not below the one before');
    }
  }
  return values;
}

function treeOf(node: Node, features: number, cutOf: (threshold: number) => number): IsolationTree {
  const list = node.key('feature');
  const size = list.list(1, MOST_NODES).length;
  const own = node.key('features');
  // scikit-learn's estimators_features_: a tree may know a part of the features, by its own numbers.
  const subset = own.absent ? null : own.list(1, features).map((feature) => feature.whole(0, features - 1));
  const feature = list.wholes(size, -2, (subset?.length ?? features) - 1);
  const threshold = node.key('threshold').numbers(size, -Number.MAX_VALUE, Number.MAX_VALUE);
  const left = node.key('left').wholes(size, -1, size - 1);
  const right = node.key('right').wholes(size, -1, size - 1);
  const samples = node.key('samples').wholes(size, 1, MOST_ROWS);
  const order = preorder(node, feature, left, right);
  const at = new Int32Array(size);
  order.forEach((from, to) => {
    at[from] = to;
  });
  const leaf = (from: number): boolean => (feature[from] as number) < 0;
  const tree: IsolationTree = {
    feature: Int32Array.from(order, (from) => {
      const index = feature[from] as number;
      return index < 0 ? -2 : (subset?.[index] ?? index);
    }),
    threshold: Float64Array.from(order, (from) => (leaf(from) ? -2 : cutOf(threshold[from] as number))),
    left: Int32Array.from(order, (from) => (leaf(from) ? -1 : (at[left[from] as number] as number))),
    right: Int32Array.from(order, (from) => (leaf(from) ? -1 : (at[right[from] as number] as number))),
    samples: Uint32Array.from(order, (from) => samples[from] as number),
  };
  const broken = brokenNode(tree, features);
  if (broken !== null) {
    const was = order[broken] as number;
    throw new DumpError(
      `${node.path}: node ${was} is broken: expected children that share its ${samples[was]} rows, no deeper than 32`,
    );
  }
  return tree;
}

/** Nodes as an artifact holds them: a left child follows its parent. Each is met once, or the tree is none. */
function preorder(node: Node, feature: Float64Array, left: Float64Array, right: Float64Array): number[] {
  const order: number[] = [];
  const met = new Uint8Array(feature.length);
  const waiting = [0];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (met[next] === 1) throw new DumpError(`${node.path}: node ${next} has two parents, expected a tree`);
    met[next] = 1;
    order.push(next);
    if ((feature[next] as number) < 0) continue;
    for (const [key, child] of [
      ['right', right[next]],
      ['left', left[next]],
    ] as const) {
      if ((child as number) < 0) {
        throw new DumpError(
          `${node.path}.${key}[${next}]: expected a child, since it splits, found ${child}`,
        );
      }
      waiting.push(child as number);
    }
  }
  const stray = met.indexOf(0);
  if (stray >= 0) throw new DumpError(`${node.path}: node ${stray} is no node's child`);
  return order;
}
