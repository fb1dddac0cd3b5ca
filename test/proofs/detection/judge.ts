import { createHash } from 'node:crypto';
import { type EventFigures, judgeEvents } from '../../../core/evaluation/events.ts';
import { notificationRule, observe } from '../../../core/evaluation/observe.ts';
import { rank, volumeUnderPr } from '../../../core/evaluation/ranking.ts';
import { runToEnd } from '../../../core/features.ts';
import type { DetectorKind, Model, SeverityThresholds } from '../../../core/model.ts';
import { trainModel } from '../../../core/train.ts';
import { decodeModel, encodeModel } from '../../../models/artifact.ts';
import { schemaOf } from '../../../models/data/read.ts';
import { type Candidate, trainingOptions } from '../../../models/training/candidates.ts';
import type { Series } from '../alarms/series.ts';

/**
 * What a detector is worth on a series: trained on its training part, through the artifact's bytes, then streamed over
 * both parts and judged on the second. Neither fit nor thresholds see a row or a label of the test part.
 */

/** Alarms a day that the thresholds may cost: one a day, one a week. */
export const BUDGETS = { day: 1, week: 1 / 7 } as const;
export type BudgetName = keyof typeof BUDGETS;

export type Events = Omit<EventFigures, 'segments' | 'found' | 'notifications'>;

export interface Judged {
  readonly averagePrecision: number;
  readonly vusPr: number;
  readonly rocAuc: number;
  /** Labelled share of the test part: what a score without any knowledge has as average precision. */
  readonly prevalence: number;
  readonly modelBytes: number;
  /** At the thresholds of the training part, as they are. */
  readonly events: Readonly<Record<BudgetName, Events>>;
  /** With the guard that an agent has besides: thresholds rise with each notification. */
  readonly guarded: Readonly<Record<BudgetName, Events>>;
}

/** @param trees null: as the detector has them by default */
export function judgeDetector(
  series: Series,
  detector: DetectorKind,
  seed: number,
  trees: number | null,
): Judged {
  const artifact = trainArtifact(series, detector, seed, trees);
  const model = decodeModel(artifact);
  const day = watch(series, model);
  const week = watch(series, atOneAWeek(model));
  const labels = series.labels.subarray(series.testFrom);
  const ranking = rank(day.scores, labels);
  const vusPr = volumeUnderPr(day.scores, labels);
  if (ranking === null || vusPr === null)
    throw new Error(`${series.name}: nothing, or everything, is labelled`);
  return {
    averagePrecision: ranking.averagePrecision,
    vusPr,
    rocAuc: ranking.rocAuc,
    prevalence: ranking.positives / (ranking.positives + ranking.negatives),
    modelBytes: artifact.length,
    events: { day: day.events, week: week.events },
    guarded: { day: day.guarded, week: week.guarded },
  };
}

/** What training at one alarm a week gives: its `info` is the `warning` of one a day. Saves half of the trainings. */
export function atOneAWeek(model: Model): Model {
  const rarer = (levels: SeverityThresholds): SeverityThresholds => ({ ...levels, info: levels.warning });
  const { surprise, forest, score } = model.thresholds;
  return {
    ...model,
    budget: { ...model.budget, infoPerDay: BUDGETS.week },
    thresholds: { surprise: rarer(surprise), forest: rarer(forest), score },
  };
}

const DEFAULT_TREES = { 'metric-forests': 4, 'isolation-forest': 100 } as const;

/** The bytes that `train` would register. */
export function trainArtifact(
  series: Series,
  detector: DetectorKind,
  seed: number,
  trees: number | null,
  budgetPerDay: number = BUDGETS.day,
): Buffer {
  const columns = series.values.map((column) => column.slice(0, series.testFrom));
  const { schema } = schemaOf([
    {
      host: series.name,
      names: series.columns,
      intervalMs: series.intervalMs,
      timesMs: Float64Array.from(series.timesMs.slice(0, series.testFrom)),
      columns,
      labels: null,
      breaks: [],
      rowsRead: series.testFrom,
      rowsOutOfOrder: 0,
    },
  ]);
  const digest = createHash('sha256');
  for (const column of columns) digest.update(new Uint8Array(column.buffer));
  const candidate: Candidate = {
    detector,
    trees: trees ?? DEFAULT_TREES[detector],
    rowsPerTree: 256,
    windows: { short: 15, long: 60 },
    budgetPerDay,
    contamination: null,
  };
  const provenance = {
    name: 'detection',
    version: '1',
    seed,
    trainedFromMs: series.timesMs[0] as number,
    trainedToMs: series.timesMs[series.testFrom - 1] as number,
    rows: series.testFrom,
    intervalMs: series.intervalMs,
    dataSha256: digest.digest('hex'),
    toolVersion: 'prove:detection',
  };
  return encodeModel(runToEnd(trainModel(schema, columns, provenance, trainingOptions(candidate))));
}

function watch(series: Series, model: Model): { scores: Float64Array; events: Events; guarded: Events } {
  const observed = observe(model, model.schema, {
    timesMs: series.timesMs,
    columns: series.values,
    from: series.testFrom,
  });
  const labels = series.labels.subarray(series.testFrom);
  const rule = notificationRule(series.intervalMs);
  const [events, guarded] = [observed.bare, observed.flags].map((flags): Events => {
    const { segments, found, notifications, ...figures } = judgeEvents(
      flags,
      labels,
      series.intervalMs,
      rule,
    );
    return figures;
  });
  return { scores: observed.scores, events: events as Events, guarded: guarded as Events };
}
