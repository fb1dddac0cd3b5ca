import { createHash } from 'node:crypto';
import type { ModelRecord } from '../record.ts';
import type { Assessment } from '../training/assess.ts';
import type { Metric, Pair } from './client.ts';
import { cut, cutBytes, metrics, pairs, TAG_BYTES } from './limits.ts';

export const TRAINING_EXPERIMENT = 'anomaly_detection_training';
/** What a run is found again by. */
export const RECORD_TAG = 'edgewood.recordId';

/** What an MLflow run of one training consists of. JSON. */
export interface TrackingPlan {
  /** Of this training alone, whichever server it goes to: 32 hexadecimal digits. */
  readonly recordId: string;
  readonly experiment: string;
  readonly runName: string;
  readonly startMs: number;
  readonly endMs: number;
  /** That the run is created with. */
  readonly tags: readonly Pair[];
  readonly params: readonly Pair[];
  readonly metrics: readonly Metric[];
  readonly model: {
    readonly name: string;
    /** The registry's. */
    readonly version: number;
    readonly description: string | null;
    readonly aliases: readonly string[];
    readonly tags: readonly Pair[];
  };
}

/** Goes to the run's artifacts under its path. */
export interface ArtifactFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

export interface TrackingExtra {
  readonly modelCard?: string;
  /** Self-contained HTML, JSON, … by file name. */
  readonly reports?: Readonly<Record<string, Uint8Array | string>>;
  /** Aliases that the version has in the registry. */
  readonly aliases?: readonly string[];
}

export const recordIdOf = ({ name, version, createdAt, sha256 }: ModelRecord): string =>
  createHash('sha256')
    .update(JSON.stringify([name, version, createdAt, sha256]))
    .digest('hex')
    .slice(0, 32);

/** Aliases that MLflow can't have (`latest`, `v1`, …) stand in a tag only. */
export function planOf(
  record: ModelRecord,
  extra: TrackingExtra = {},
  experiment = TRAINING_EXPERIMENT,
): TrackingPlan {
  const { parameters, data, split, rows, metrics: assessed } = record;
  const endMs = Date.parse(record.createdAt);
  const aliases = extra.aliases ?? [];
  const recordId = recordIdOf(record);
  const own = {
    [RECORD_TAG]: recordId,
    'edgewood.model': record.name,
    'edgewood.version': record.version,
    'edgewood.sha256': record.sha256,
  };
  return {
    recordId,
    experiment,
    runName: `${record.name}-v${record.version}`,
    startMs: Math.max(0, endMs - Math.round(record.durationMs)),
    endMs,
    tags: pairs(
      {
        ...own,
        'edgewood.toolVersion': record.toolVersion,
        'edgewood.origin': record.origin,
        'edgewood.comparedBy': record.comparedBy,
        'edgewood.dataFrom': data.from,
        'edgewood.dataTo': data.to,
        'edgewood.aliases': aliases.join(','),
        'edgewood.notes': record.notes.join('\n'),
        'mlflow.source.name': 'edgewood train',
        'mlflow.source.type': 'LOCAL',
        // Shown on the page of the run.
        'mlflow.note.content': record.description ?? extra.modelCard,
      },
      (text) => cutBytes(text, TAG_BYTES),
    ),
    params: pairs({
      detector: parameters.detector,
      trees: parameters.trees,
      rows_per_tree: parameters.rowsPerTree,
      window_short: parameters.windows?.short,
      window_long: parameters.windows?.long,
      budget_per_day: parameters.budgetPerDay,
      contamination: parameters.contamination,
      seed: record.seed,
      split: split === null ? null : `${split.train}/${split.validation}/${split.test}`,
      features: record.features.join(','),
      interval_ms: data.intervalMs,
      dataset_sha256: data.sha256,
      files: data.files.map(({ file }) => file).join(','),
      file_count: data.files.length,
      hosts: record.hosts.map(({ host }) => host).join(','),
      threshold_by: record.threshold.by,
      rows_train: rows?.train,
      rows_validation: rows?.validation,
      rows_test: rows?.test,
    }),
    metrics: [
      // Step by step what was compared, in the order in which it was tried.
      ...record.compared.flatMap((one, step) =>
        metrics(
          {
            grid_objective: one.objective,
            grid_within_budget: one.withinBudget ? 1 : 0,
            grid_fit_ms: one.fitMs,
            ...assessment('grid_validation_', one.validation),
          },
          endMs,
          step,
        ),
      ),
      ...metrics(
        {
          ...assessment('validation_', assessed.validation),
          ...assessment('test_', assessed.test),
          fit_ms: chosenFitMs(record),
          duration_ms: record.durationMs,
          rows: rows?.used,
          model_bytes: record.bytes,
          ...Object.fromEntries(
            Object.entries(record.threshold.triggers).flatMap(([trigger, levels]) =>
              (['info', 'warning', 'critical'] as const).map((level) => [
                `threshold_${trigger}_${level}`,
                levels[level],
              ]),
            ),
          ),
        },
        endMs,
        0,
      ),
    ],
    model: {
      name: record.name,
      version: record.version,
      description: record.description === null ? null : cut(record.description, TAG_BYTES / 4),
      aliases: aliases.filter(isAlias),
      tags: pairs(own),
    },
  };
}

/** The files of a run: what was registered, what is known of it, and whatever else was made. */
export function artifactsOf(
  record: ModelRecord,
  bytes: Uint8Array,
  extra: TrackingExtra = {},
): ArtifactFile[] {
  const text = (value: string): Uint8Array => new TextEncoder().encode(value);
  return [
    { path: `model/${record.name}-v${record.version}.edgewood`, bytes },
    { path: 'model/record.json', bytes: text(`${JSON.stringify(record, null, 2)}\n`) },
    ...(extra.modelCard === undefined ? [] : [{ path: 'model-card.md', bytes: text(extra.modelCard) }]),
    ...Object.entries(extra.reports ?? {}).map(([path, report]) => ({
      path: `reports/${path}`,
      bytes: typeof report === 'string' ? text(report) : report,
    })),
  ];
}

const chosenFitMs = ({ compared, parameters }: ModelRecord): number | undefined =>
  compared.find((one) => JSON.stringify(one.parameters) === JSON.stringify(parameters))?.fitMs;

function assessment(prefix: string, figures: Assessment | null): Record<string, number | null> {
  if (figures === null) return {};
  const { events, injected } = figures;
  const values: Record<string, number | null> = {
    precision: figures.precision,
    recall: figures.recall,
    f1: figures.f1,
    roc_auc: figures.rocAuc,
    average_precision: figures.averagePrecision,
    vus_pr: figures.vusPr,
    alarms_per_day: figures.alarmsPerDay,
    false_alarms_per_day: figures.falseAlarmsPerDay,
    flagged_share: figures.flaggedShare,
    rows: figures.rows,
    event_recall: events?.recall ?? null,
    event_precision: events?.precision ?? null,
    event_f1: events?.f1 ?? null,
  };
  for (const [kind, one] of Object.entries(injected)) values[`injected_${kind}_recall`] = one.recall;
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [`${prefix}${key}`, value]));
}

/** MLflow's rules for the name of an alias. */
const isAlias = (alias: string): boolean =>
  /^[\w-]{1,255}$/.test(alias) && !/^latest$/i.test(alias) && !/^v\d+$/i.test(alias);
