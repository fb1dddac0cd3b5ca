import {
  Falling,
  type NotificationRule,
  positionsOver,
  type Threshold,
  thresholdForBudget,
} from './calibration.ts';
import { type Detector, MetricForestsDetector } from './detector.ts';
import { metricDistributions, quantiles } from './distributions.ts';
import { modelDrift } from './drift/calibration.ts';
import {
  DEFAULT_WINDOWS,
  FEATURES_PER_METRIC,
  type FeatureWindows,
  fitFeatures,
  forEachFeatureRow,
  metricScales,
  SCORED_ROWS_PER_STEP,
  type Stepwise,
} from './features.ts';
import { ForestRelative } from './forest-relative.ts';
import {
  fitIsolationForest,
  ISOLATION_FOREST_DEFAULTS,
  type IsolationForestOptions,
} from './isolation-forest.ts';
import { IsolationForestDetector } from './isolation-forest-detector.ts';
import { LevelRangeFit } from './level-range.ts';
import { quantileSorted, sortedFinite } from './math.ts';
import { FOREST_DEFAULTS, type ForestOptions, fitMetricForests } from './metric-forests.ts';
import {
  type Budget,
  DEFAULT_BUDGET,
  type DetectorKind,
  type HostCalibration,
  type IsolationForestModel,
  type MetricForestsModel,
  type Model,
  NEVER,
  NOT_USED,
  type Provenance,
  type SeverityThresholds,
  type TriggerThresholds,
} from './model.ts';
import type { Severity } from './protocol/events.ts';
import { Random } from './random.ts';
import type { MetricSchema } from './sample.ts';
import { measureStillness } from './stillness.ts';
import { fitSurprise, type SurpriseModel, SurpriseStream } from './surprise.ts';

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
/** Rows that forests and base values are drawn from. */
const DRAWN_ROWS = 4096;
/** Rows that the trees of a standard isolation forest draw theirs from. */
const STANDARD_FOREST_ROWS = 65_536;
/** The surprise trigger's share of the alert budget; the forest's has the rest. */
export const SURPRISE_SHARE = 0.75;
/** Gap over which flags are one episode, in samples. */
export const MERGE_SAMPLES = 10;

/** A host among the training rows: its rows are those up to the next one's first. */
export interface HostRows {
  readonly host: string;
  readonly from: number;
}

export interface TrainingOptions {
  readonly detector: DetectorKind;
  /** metric-forests only. */
  readonly windows: FeatureWindows;
  readonly forest: ForestOptions;
  readonly isolationForest: IsolationForestOptions;
  readonly budget: Budget;
  /** Share of the training rows that the score's threshold cuts off, in place of the alert budget; null: the budget. */
  readonly contamination: number | null;
  readonly surpriseShare: number;
  /** A standing alarm is told again this often. */
  readonly renotifyMs: number;
  /** Rows (ascending) that do not continue the row before: after a gap, or of another host. */
  readonly breaks: readonly number[];
  /** Where several hosts were recorded: their first rows, in order. */
  readonly hosts: readonly HostRows[];
  /** Unix milliseconds of each row; null: steady from the beginning. Drift knows the days by them. */
  readonly timesMs: ArrayLike<number> | null;
}
export const TRAINING_DEFAULTS: TrainingOptions = {
  detector: 'metric-forests',
  windows: DEFAULT_WINDOWS,
  forest: FOREST_DEFAULTS,
  isolationForest: ISOLATION_FOREST_DEFAULTS,
  budget: DEFAULT_BUDGET,
  contamination: null,
  surpriseShare: SURPRISE_SHARE,
  renotifyMs: HOUR_MS,
  breaks: [],
  hosts: [],
  timesMs: null,
};

/** Metrics seen in at least half of the rows: the others are left out of a model. */
export function* usableMetrics(columns: readonly Float64Array[]): Stepwise<number[]> {
  const usable: number[] = [];
  for (const [i, column] of columns.entries()) {
    let finite = 0;
    for (const x of column) if (Number.isFinite(x)) finite++;
    if (column.length > 0 && finite * 2 >= column.length) usable.push(i);
    yield;
  }
  return usable;
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
  const scales = yield* metricScales(schema, columns);
  const random = new Random(provenance.seed);
  const fitted =
    options.detector === 'metric-forests'
      ? yield* fitForests(schema, columns, random, options)
      : yield* fitStandardForest(schema, columns, random, options);
  const surprise = yield* fitSurprise(schema, columns, scales, options.breaks);
  const distributions = yield* metricDistributions(schema, columns, scales);
  const stillness = yield* measureStillness(schema, columns, scales, distributions.metrics, days);

  const detector = fitted.create();
  const ranges = new LevelRangeFit(schema.length, rows, provenance.intervalMs);
  const traces = yield* trace(detector, surprise, ranges, columns, options.breaks);
  const drift = yield* modelDrift(schema, [...columns, traces.scores], provenance, options.timesMs);
  const rule = {
    mergeSamples: MERGE_SAMPLES,
    renotifySamples: Math.max(1, Math.round(options.renotifyMs / provenance.intervalMs)),
  };
  const calibrate = (from: number, to: number): Stepwise<TriggerThresholds> =>
    calibrateTriggers(traces, from, to, provenance.intervalMs, rule, options);
  const thresholds = yield* calibrate(0, rows);
  const hosts: HostCalibration[] = [];
  for (const [i, { host, from }] of options.hosts.entries()) {
    const to = options.hosts[i + 1]?.from ?? rows;
    hosts.push({ host, rows: to - from, thresholds: yield* calibrate(from, to) });
  }
  const score = quantiles(sortedFinite(traces.scores));
  yield;
  return {
    ...fitted.parts,
    schema,
    surprise,
    stillness,
    ranges: ranges.finish(),
    reference: { ...distributions, score },
    drift,
    budget: options.budget,
    contamination: options.contamination,
    thresholds,
    hosts,
    provenance,
  };
}

type ForestParts =
  | Pick<MetricForestsModel, 'detector' | 'features' | 'forests'>
  | Pick<IsolationForestModel, 'detector' | 'forest' | 'fills'>;

interface Fitted {
  readonly parts: ForestParts;
  readonly create: () => Detector;
}

function* fitForests(
  schema: MetricSchema,
  columns: readonly Float64Array[],
  random: Random,
  options: TrainingOptions,
): Stepwise<Fitted> {
  const features = yield* fitFeatures(schema, columns, options.windows, options.breaks);
  const drawn = yield* drawRows(features, columns, random, options.breaks);
  const forests = yield* fitMetricForests(drawn, schema.length, random, options.forest);
  return {
    parts: { detector: 'metric-forests', features, forests },
    create: () => new MetricForestsDetector({ schema, features, forests }),
  };
}

/** Missing values are the median's: an isolation forest has no other word for them. */
function* fitStandardForest(
  schema: MetricSchema,
  columns: readonly Float64Array[],
  random: Random,
  options: TrainingOptions,
): Stepwise<Fitted> {
  const fills = Float64Array.from(columns, (column) => {
    const sorted = sortedFinite(column);
    return sorted.length === 0 ? 0 : quantileSorted(sorted, 0.5);
  });
  yield;
  const rows = columns[0]?.length ?? 0;
  const wanted = Math.min(rows, STANDARD_FOREST_ROWS);
  const drawn = new Float64Array(wanted * columns.length);
  let taken = 0;
  for (let row = 0; row < rows; row++) {
    if ((rows - row) * random.float() >= wanted - taken) continue;
    for (const [metric, column] of columns.entries()) {
      const x = column[row] as number;
      drawn[taken * columns.length + metric] = Number.isNaN(x) ? (fills[metric] as number) : x;
    }
    taken++;
  }
  const forest = fitIsolationForest(drawn, columns.length, random, options.isolationForest);
  return {
    parts: { detector: 'isolation-forest', forest, fills },
    create: () => new IsolationForestDetector({ schema, forest, fills }),
  };
}

/** What detector and triggers say of each training row. */
interface Traces {
  readonly scores: Float64Array;
  readonly ratios: Float64Array;
  readonly surprises: Float64Array;
}

function* trace(
  detector: Detector,
  surprise: SurpriseModel,
  ranges: LevelRangeFit,
  columns: readonly Float64Array[],
  breaks: readonly number[],
): Stepwise<Traces> {
  const rows = columns[0]?.length ?? 0;
  const traces: Traces = {
    scores: new Float64Array(rows),
    ratios: new Float64Array(rows),
    surprises: new Float64Array(rows),
  };
  const sample = new Float64Array(columns.length);
  let relative = new ForestRelative();
  let stream = new SurpriseStream(surprise);
  let next = 0;
  for (let row = 0; row < rows; row++) {
    if (row === breaks[next]) {
      detector.reset();
      relative = new ForestRelative();
      stream = new SurpriseStream(surprise);
      ranges.interrupt();
      next++;
    }
    for (let metric = 0; metric < columns.length; metric++) {
      sample[metric] = (columns[metric] as Float64Array)[row] as number;
    }
    const score = detector.score(sample);
    traces.scores[row] = score;
    traces.ratios[row] = relative.update(score);
    traces.surprises[row] = stream.update(sample);
    ranges.update(sample, row);
    if (row % SCORED_ROWS_PER_STEP === SCORED_ROWS_PER_STEP - 1) yield;
  }
  return traces;
}

/** Thresholds from the rows `from` to `to`: those of the alert budget, or of the contamination. */
function* calibrateTriggers(
  traces: Traces,
  from: number,
  to: number,
  intervalMs: number,
  rule: NotificationRule,
  { budget, contamination, surpriseShare }: TrainingOptions,
): Stepwise<TriggerThresholds> {
  if (contamination !== null) {
    const sorted = sortedFinite(traces.scores.subarray(from, to));
    const info = sorted.length === 0 ? NEVER : quantileSorted(sorted, 1 - contamination);
    return { surprise: NOT_USED, forest: NOT_USED, score: { ...NOT_USED, info } };
  }
  const days = ((to - from) * intervalMs) / DAY_MS;
  const ratios = traces.ratios.subarray(from, to);
  const surprises = traces.surprises.subarray(from, to);
  const byRatio = new Falling(ratios);
  yield;
  const bySurprise = new Falling(surprises);
  yield;
  const forest = yield* severityThresholds(budget, days, (perDay) =>
    thresholdForBudget(byRatio, days, perDay * (1 - surpriseShare), rule),
  );
  // What both flag is paid for once: surprise gets all that the forest leaves of the budget.
  const surprise = yield* severityThresholds(budget, days, (perDay, severity) =>
    thresholdForBudget(bySurprise, days, perDay, rule, positionsOver(ratios, forest[severity])),
  );
  return { surprise, forest, score: NOT_USED };
}

/** Feature rows for the forests: all of them, or DRAWN_ROWS without replacement, in time order. */
function* drawRows(
  features: Parameters<typeof forEachFeatureRow>[0],
  columns: readonly Float64Array[],
  random: Random,
  breaks: readonly number[],
): Stepwise<Float64Array> {
  const rows = columns[0]?.length ?? 0;
  const width = columns.length * FEATURES_PER_METRIC;
  const wanted = Math.min(rows, DRAWN_ROWS);
  const out = new Float64Array(wanted * width);
  let taken = 0;
  yield* forEachFeatureRow(
    features,
    columns,
    (x, row) => {
      // Selection sampling (Knuth, TAOCP 3.4.2, algorithm S).
      if ((rows - row) * random.float() < wanted - taken) out.set(x, taken++ * width);
    },
    breaks,
  );
  return out;
}

/** "Once a week" can't be said after a quarter of an hour: a rarity needs history of this share of its period. */
const EVIDENCE_SHARE = 1 / 28;

function* severityThresholds(
  budget: Budget,
  days: number,
  threshold: (perDay: number, severity: Severity) => Stepwise<Threshold>,
): Stepwise<SeverityThresholds> {
  function* level(perDay: number, severity: Severity, below: number): Stepwise<number> {
    if (days * perDay < EVIDENCE_SHARE) return NEVER;
    const { value } = yield* threshold(perDay, severity);
    return Math.max(below, value);
  }
  const info = yield* threshold(budget.infoPerDay, 'info');
  const warning = yield* level(budget.warningPerDay, 'warning', info.value);
  const critical = yield* level(budget.criticalPerDay, 'critical', warning);
  return { info: info.value, warning, critical, provisional: info.provisional };
}
