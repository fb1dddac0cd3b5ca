import { CODE_VALUES } from '../../core/companding.ts';
import { NODE_BYTES, PAIRS_PER_METRIC } from '../../core/metric-forests.ts';
import {
  type IsolationForestModel,
  type MetricForestsModel,
  type Model,
  NEVER,
  REFERENCE_QUANTILES,
  type SeverityThresholds,
} from '../../core/model.ts';
import { DUMP_FORMAT, DUMP_VERSION } from './forest-dump.ts';

const LEAF = 2;
const PAIRS = ['mean', 'distance', 'deviation'] as const;

/** A model as plain JSON, for other programs and for the eye (docs/MODELS.md). What is not finite is null. */
export function exportModel(model: Model): object {
  return model.detector === 'isolation-forest' ? isolationForest(model) : metricForests(model);
}

/** What `models import` reads, with more beside it. */
function isolationForest(model: IsolationForestModel): object {
  const { forest, reference, thresholds, contamination } = model;
  const quantiles = model.schema.map((_, metric) =>
    reference.metrics.subarray(metric * REFERENCE_QUANTILES, (metric + 1) * REFERENCE_QUANTILES),
  );
  return {
    format: DUMP_FORMAT,
    formatVersion: DUMP_VERSION,
    source: `edgewood ${model.provenance.toolVersion}`,
    ...common(model),
    featureCount: model.schema.length,
    features: model.schema.map(({ name }) => name),
    inputs: 'float64',
    maxSamples: forest.rowsPerTree,
    // Under an alert budget the score itself has no threshold: the paper's stands in.
    offset: thresholds.score.info < NEVER ? -thresholds.score.info : -0.5,
    contamination: contamination ?? 'auto',
    quantiles: quantiles.some(hasGaps) ? null : quantiles.map((values) => Array.from(values)),
    scoreQuantiles: hasGaps(reference.score) ? null : Array.from(reference.score),
    fills: Array.from(model.fills),
    trees: forest.trees.map(({ feature, threshold, left, right, samples }) => ({
      feature: Array.from(feature),
      threshold: Array.from(threshold),
      left: Array.from(left),
      right: Array.from(right),
      samples: Array.from(samples),
    })),
  };
}

const hasGaps = (values: Float64Array): boolean => !values.every(Number.isFinite);

function metricForests(model: MetricForestsModel): object {
  const { roots, nodes, trees, rowsPerTree, termMeans } = model.forests;
  const ends = [...roots.subarray(1), nodes.length / NODE_BYTES];
  const tree = (index: number): object => treeOf(nodes, roots[index] as number, ends[index] as number);
  return {
    format: 'metric-forests',
    formatVersion: 1,
    source: `edgewood ${model.provenance.toolVersion}`,
    ...common(model),
    windows: model.features.windows,
    moments: Array.from(model.features.moments),
    maxSamples: rowsPerTree,
    forests: model.schema.map(({ name }, metric) => ({
      metric: name,
      termMean: termMeans[metric],
      pairs: PAIRS.map((other, pair) => ({
        features: ['z', other],
        trees: Array.from({ length: trees }, (_, t) => tree((metric * PAIRS_PER_METRIC + pair) * trees + t)),
      })),
    })),
  };
}

function treeOf(nodes: Uint8Array, root: number, end: number): object {
  const feature: number[] = [];
  const threshold: (number | null)[] = [];
  const left: number[] = [];
  const right: number[] = [];
  const samples: number[] = [];
  const low: number[][] = [];
  const high: number[][] = [];
  const value = (at: number): number => CODE_VALUES[nodes[at] as number] as number;
  for (let node = root; node < end; node++) {
    const at = node * NODE_BYTES;
    const leaf = nodes[at] === LEAF;
    feature.push(leaf ? -2 : (nodes[at] as number));
    threshold.push(leaf ? null : value(at + 1));
    left.push(leaf ? -1 : node - root + 1);
    right.push(leaf ? -1 : (nodes[at + 6] as number) | ((nodes[at + 7] as number) << 8));
    samples.push((nodes[at + 8] as number) | ((nodes[at + 9] as number) << 8));
    low.push([value(at + 2), value(at + 4)]);
    high.push([value(at + 3), value(at + 5)]);
  }
  return { feature, threshold, left, right, samples, low, high };
}

function common({ schema, thresholds, hosts, budget, provenance }: Model): object {
  const triggers = (all: Model['thresholds']): object =>
    Object.fromEntries(Object.entries(all).map(([trigger, levels]) => [trigger, levelsOf(levels)]));
  return {
    provenance,
    schema,
    budget,
    thresholds: triggers(thresholds),
    hosts: hosts.map((host) => ({ ...host, thresholds: triggers(host.thresholds) })),
  };
}

function levelsOf({ info, warning, critical, provisional }: SeverityThresholds): object {
  const reachable = (threshold: number): number | null => (threshold < NEVER ? threshold : null);
  return {
    info: reachable(info),
    warning: reachable(warning),
    critical: reachable(critical),
    provisional,
  };
}
