import { positionsOver, type Threshold, thresholdForBudget } from './calibration.ts';
import {
  DEFAULT_WINDOWS,
  FEATURES_PER_METRIC,
  type FeatureWindows,
  fitFeatures,
  forEachFeatureRow,
  metricScales,
  type Stepwise,
} from './features.ts';
import { ForestRelative } from './forest-relative.ts';
import { LevelRangeFit } from './level-range.ts';
import { quantileSorted, sortedFinite } from './math.ts';
import {
  FOREST_DEFAULTS,
  type ForestOptions,
  fitMetricForests,
  MetricForestsScorer,
} from './metric-forests.ts';
import {
  type Budget,
  DEFAULT_BUDGET,
  type Model,
  NEVER,
  type Provenance,
  REFERENCE_QUANTILES,
  type ReferenceDistributions,
  type SeverityThresholds,
} from './model.ts';
import type { Severity } from './protocol/events.ts';
import { Random } from './random.ts';
import type { MetricSchema } from './sample.ts';
import { measureStillness } from './stillness.ts';
import { fitSurprise, SurpriseStream } from './surprise.ts';

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
/** Rows that forests and base values are drawn from. */
const DRAWN_ROWS = 4096;
/** The surprise trigger's share of the alert budget; the forest's has the rest. */
export const SURPRISE_SHARE = 0.75;
/** Gap over which flags are one episode, in samples. */
export const MERGE_SAMPLES = 10;

export interface TrainingOptions {
  readonly windows: FeatureWindows;
  readonly forest: ForestOptions;
  readonly budget: Budget;
  readonly surpriseShare: number;
  /** A standing alarm is told again this often. */
  readonly renotifyMs: number;
}
export const TRAINING_DEFAULTS: TrainingOptions = {
  windows: DEFAULT_WINDOWS,
  forest: FOREST_DEFAULTS,
  budget: DEFAULT_BUDGET,
  surpriseShare: SURPRISE_SHARE,
  renotifyMs: HOUR_MS,
};

/** Metrics seen in at least half of the rows: the others are left out of a model. */
export function usableMetrics(columns: readonly Float64Array[]): number[] {
  return columns.flatMap((column, i) => {
    let finite = 0;
    for (const x of column) if (Number.isFinite(x)) finite++;
    return column.length > 0 && finite * 2 >= column.length ? [i] : [];
  });
}

/**
 * Fits everything a model holds: feature statistics, forests, jump scales, stillness, ranges, reference distributions, and
 * the thresholds of the alert budget.
 * @param columns one array a metric of `schema`, in time order at a steady interval, NaN where missing
 * @param provenance its seed decides every random draw: same rows, same seed, same bytes
 */
export function* trainModel(
  schema: MetricSchema,
  columns: readonly Float64Array[],
  provenance: Provenance,
  options: TrainingOptions = TRAINING_DEFAULTS,
): Stepwise<Model> {
  const rows = columns[0]?.length ?? 0;
  const days = (rows * provenance.intervalMs) / DAY_MS;
  const random = new Random(provenance.seed);
  const scales = metricScales(schema, columns);
  const features = yield* fitFeatures(schema, columns, options.windows);
  const drawn = yield* drawRows(features, columns, random);
  const forests = yield* fitMetricForests(drawn, schema.length, random, options.forest);
  const surprise = yield* fitSurprise(schema, columns, scales);
  const distributions = metricDistributions(schema, columns, scales);
  const stillness = measureStillness(schema, columns, scales, distributions.metrics, days);
  yield;

  const scorer = new MetricForestsScorer(forests);
  const relative = new ForestRelative();
  const stream = new SurpriseStream(surprise);
  const ranges = new LevelRangeFit(schema.length, rows, provenance.intervalMs);
  const scores = new Float64Array(rows);
  const ratios = new Float64Array(rows);
  const surprises = new Float64Array(rows);
  yield* forEachFeatureRow(features, columns, (x, row, sample) => {
    scores[row] = scorer.score(x);
    ratios[row] = relative.update(scores[row] as number);
    surprises[row] = stream.update(sample);
    ranges.update(sample, row);
  });

  const rule = {
    mergeSamples: MERGE_SAMPLES,
    renotifySamples: Math.max(1, Math.round(options.renotifyMs / provenance.intervalMs)),
  };
  const forest = severityThresholds(options.budget, days, (perDay) =>
    thresholdForBudget(ratios, days, perDay * (1 - options.surpriseShare), rule),
  );
  yield;
  // What both flag is paid for once: surprise gets all that the forest leaves of the budget.
  const thresholds = {
    forest,
    surprise: severityThresholds(options.budget, days, (perDay, severity) =>
      thresholdForBudget(surprises, days, perDay, rule, positionsOver(ratios, forest[severity])),
    ),
  };
  yield;
  return {
    detector: 'metric-forests',
    schema,
    features,
    forests,
    surprise,
    stillness,
    ranges: ranges.finish(),
    reference: { ...distributions, score: quantiles(sortedFinite(scores)) },
    budget: options.budget,
    thresholds,
    provenance,
  };
}

/** Feature rows for the forests: all of them, or DRAWN_ROWS without replacement, in time order. */
function* drawRows(
  features: Parameters<typeof forEachFeatureRow>[0],
  columns: readonly Float64Array[],
  random: Random,
): Stepwise<Float64Array> {
  const rows = columns[0]?.length ?? 0;
  const width = columns.length * FEATURES_PER_METRIC;
  const wanted = Math.min(rows, DRAWN_ROWS);
  const out = new Float64Array(wanted * width);
  let taken = 0;
  yield* forEachFeatureRow(features, columns, (x, row) => {
    // Selection sampling (Knuth, TAOCP 3.4.2, algorithm S).
    if ((rows - row) * random.float() < wanted - taken) out.set(x, taken++ * width);
  });
  return out;
}

/** "Once a week" can't be said after a quarter of an hour: a rarity needs history of this share of its period. */
const EVIDENCE_SHARE = 1 / 28;

function severityThresholds(
  budget: Budget,
  days: number,
  threshold: (perDay: number, severity: Severity) => Threshold,
): SeverityThresholds {
  const level = (perDay: number, severity: Severity, below: number): number =>
    days * perDay < EVIDENCE_SHARE ? NEVER : Math.max(below, threshold(perDay, severity).value);
  const info = threshold(budget.infoPerDay, 'info');
  const warning = level(budget.warningPerDay, 'warning', info.value);
  const critical = level(budget.criticalPerDay, 'critical', warning);
  return { info: info.value, warning, critical, provisional: info.provisional };
}

function quantiles(sorted: Float64Array): Float64Array {
  return Float64Array.from({ length: REFERENCE_QUANTILES }, (_, i) =>
    sorted.length === 0 ? Number.NaN : quantileSorted(sorted, i / (REFERENCE_QUANTILES - 1)),
  );
}

function metricDistributions(
  schema: MetricSchema,
  columns: readonly Float64Array[],
  scales: Float64Array,
): Omit<ReferenceDistributions, 'score'> {
  const metrics = new Float64Array(schema.length * REFERENCE_QUANTILES);
  const spreads = new Float64Array(schema.length);
  columns.forEach((column, metric) => {
    const sorted = sortedFinite(column);
    metrics.set(quantiles(sorted), metric * REFERENCE_QUANTILES);
    const floor = Math.max(schema[metric]?.noiseFloor ?? 0, 1e-4 * (scales[metric] as number));
    if (sorted.length === 0) {
      spreads[metric] = floor;
      return;
    }
    const median = quantileSorted(sorted, 0.5);
    const mad = quantileSorted(sortedFinite(sorted.map((x) => Math.abs(x - median))), 0.5);
    spreads[metric] = Math.max(1.4826 * mad, floor);
  });
  return { metrics, spreads };
}
