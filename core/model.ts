import type { DriftReference } from './drift/reference.ts';
import type { FeatureStatistics } from './features.ts';
import type { IsolationForest } from './isolation-forest.ts';
import type { LevelRanges } from './level-range.ts';
import type { MetricForests } from './metric-forests.ts';
import type { MetricSchema } from './sample.ts';
import type { Stillness } from './stillness.ts';
import type { SurpriseModel } from './surprise.ts';

/** Quantiles kept of each metric's and the score's training distribution: 0, 1/32, … 1. */
export const REFERENCE_QUANTILES = 33;

/** A threshold that is not reached: the history does not yet bear that rarity, or a rule has no such level. */
export const NEVER = 1e9;

export interface SeverityThresholds {
  readonly info: number;
  readonly warning: number;
  readonly critical: number;
  /** Which of the three were extrapolated, for want of training time. */
  readonly provisional: boolean;
}

/** Notifications a day that each severity may cost, on average. */
export interface Budget {
  readonly infoPerDay: number;
  readonly warningPerDay: number;
  readonly criticalPerDay: number;
}
export const DEFAULT_BUDGET: Budget = { infoPerDay: 1, warningPerDay: 1 / 7, criticalPerDay: 1 / 30.4375 };

export interface ReferenceDistributions {
  /** metrics x 33, ascending within each metric, NaN where the metric was never seen. */
  readonly metrics: Float64Array;
  /** 33 quantiles of the score. */
  readonly score: Float64Array;
  /** Median absolute deviation times 1.4826, floored, of each metric. */
  readonly spreads: Float64Array;
}

export interface Provenance {
  readonly name: string;
  readonly version: string;
  readonly seed: number;
  readonly trainedFromMs: number;
  readonly trainedToMs: number;
  readonly rows: number;
  readonly intervalMs: number;
  /** Hex SHA-256 of the training rows as float64, row by row. */
  readonly dataSha256: string;
  readonly toolVersion: string;
}

/**
 * Thresholds of the three triggers. A model has either an alert budget, which surprise and forest share, or a
 * contamination: the share of the training rows over `score`'s `info` threshold, as isolation forests are commonly
 * cut. The triggers of the other kind are at NEVER. An imported forest may have `score`'s threshold with no known share.
 */
export interface TriggerThresholds {
  readonly surprise: SeverityThresholds;
  readonly forest: SeverityThresholds;
  readonly score: SeverityThresholds;
}
export const NOT_USED: SeverityThresholds = {
  info: NEVER,
  warning: NEVER,
  critical: NEVER,
  provisional: false,
};

/** One of the hosts that a model was trained on: its own thresholds, in place of the common ones. */
export interface HostCalibration {
  readonly host: string;
  readonly rows: number;
  readonly thresholds: TriggerThresholds;
}

interface ModelParts {
  readonly schema: MetricSchema;
  readonly surprise: SurpriseModel;
  readonly stillness: Stillness;
  readonly ranges: LevelRanges;
  readonly reference: ReferenceDistributions;
  /** What drift is measured against; null where the history was too short, or the model older than this. */
  readonly drift: DriftReference | null;
  readonly budget: Budget;
  readonly contamination: number | null;
  readonly thresholds: TriggerThresholds;
  /** Empty where one host was trained on. */
  readonly hosts: readonly HostCalibration[];
  readonly provenance: Provenance;
}

export interface MetricForestsModel extends ModelParts {
  readonly detector: 'metric-forests';
  readonly features: FeatureStatistics;
  readonly forests: MetricForests;
}

export interface IsolationForestModel extends ModelParts {
  readonly detector: 'isolation-forest';
  readonly forest: IsolationForest;
  /** What stands in for a missing value, one a metric: the training median. Finite. */
  readonly fills: Float64Array;
}

/** All that scoring, alarming and explaining need: what one artifact holds. */
export type Model = MetricForestsModel | IsolationForestModel;
export type DetectorKind = Model['detector'];

/** The model as one of its hosts should run it, by the first of its names that it knows; else as it is. */
export function calibratedFor(model: Model, ...names: readonly string[]): Model {
  for (const name of names) {
    const own = model.hosts.find((calibration) => calibration.host === name);
    if (own !== undefined) return { ...model, thresholds: own.thresholds };
  }
  return model;
}
