import {
  DEFAULT_BUDGET,
  type IsolationForestModel,
  NOT_USED,
  REFERENCE_QUANTILES,
} from '../../core/model.ts';
import { HOST_METRICS, type MetricSchema } from '../../core/sample.ts';
import { SURPRISE_DEFAULTS } from '../../core/surprise.ts';
import { artifactSha256, encodeModel } from '../artifact.ts';
import type { ModelRecord } from '../record.ts';
import { averageCuts } from './cuts.ts';
import { DumpError } from './dump-reader.ts';
import type { ForestDump } from './forest-dump.ts';

export interface ImportFacts {
  readonly name: string;
  readonly version: number;
  /** ISO 8601. */
  readonly createdAt: string;
  /** In place of the dump's; needed where it has none. */
  readonly features: readonly string[] | null;
  /** Between two samples that it will see: a forest without windows does not ask. */
  readonly intervalMs: number;
  readonly description: string | null;
  readonly toolVersion: string;
}

/**
 * A forest that was fitted elsewhere, as a model of ours and its record. What a dump does not know is left neutral: no
 * rule and no trigger but the score's can alarm, and a quantity that nobody measured is NaN, or null.
 * @throws DumpError where the features have no names, or too many
 */
export function importForest(dump: ForestDump, facts: ImportFacts): { bytes: Buffer; record: ModelRecord } {
  const schema = schemaOf(dump, facts.features);
  const model = modelOf(dump, schema, facts);
  const bytes = encodeModel(model);
  const { forest, threshold, contamination } = dump;
  const record: ModelRecord = {
    name: facts.name,
    version: facts.version,
    createdAt: facts.createdAt,
    sha256: artifactSha256(bytes),
    bytes: bytes.length,
    origin: 'imported',
    description: facts.description,
    detector: 'isolation-forest',
    features: schema.map(({ name }) => name),
    parameters: {
      detector: 'isolation-forest',
      trees: forest.trees.length,
      rowsPerTree: forest.rowsPerTree,
      windows: null,
      budgetPerDay: null,
      contamination,
    },
    threshold: {
      by: 'contamination',
      triggers: { score: { info: threshold, warning: null, critical: null, provisional: false } },
    },
    metrics: { validation: null, test: null },
    robustness: [],
    comparedBy: null,
    compared: [],
    rows: null,
    data: { files: [], from: null, to: null, intervalMs: facts.intervalMs, sha256: '' },
    split: null,
    scaler: {},
    hosts: [],
    seed: 0,
    notes: notesOf(dump),
    toolVersion: facts.toolVersion,
    durationMs: 0,
  };
  return { bytes, record };
}

function schemaOf(dump: ForestDump, given: readonly string[] | null): MetricSchema {
  const names = given ?? dump.features;
  const count = dump.forest.features;
  if (names === null) throw new DumpError(`features: the dump names none; name ${count} with --features`);
  if (names.length !== count) {
    throw new DumpError(
      `--features: expected ${count} names, as the forest has features, found ${names.length}`,
    );
  }
  return names.map(
    (name) =>
      HOST_METRICS.find((metric) => metric.name === name) ?? {
        name,
        unit: 'value',
        scale: 0,
        noiseFloor: 0,
        label: name,
      },
  );
}

function modelOf(dump: ForestDump, schema: MetricSchema, facts: ImportFacts): IsolationForestModel {
  const metrics = schema.length;
  const unknown = (length: number): Float64Array => new Float64Array(length).fill(Number.NaN);
  const ones = (length: number): Float64Array => new Float64Array(length).fill(1);
  const reference = unknown(metrics * REFERENCE_QUANTILES);
  const spreads = ones(metrics);
  const fills = averageCuts(dump.forest);
  for (const [metric, quantiles] of (dump.quantiles ?? []).entries()) {
    reference.set(quantiles, metric * REFERENCE_QUANTILES);
    fills[metric] = quantiles[MIDDLE] as number;
    spreads[metric] = spreadOf(quantiles, schema[metric]?.noiseFloor ?? 0);
  }
  const importedMs = Date.parse(facts.createdAt);
  return {
    detector: 'isolation-forest',
    schema,
    forest: dump.forest,
    fills,
    surprise: { parameters: SURPRISE_DEFAULTS, q: ones(metrics * SURPRISE_DEFAULTS.spans.length) },
    stillness: {
      constants: unknown(metrics),
      tolerances: ones(metrics),
      longestRuns: new Uint32Array(metrics),
    },
    ranges: { span: 1, lows: unknown(metrics), highs: unknown(metrics), margins: ones(metrics) },
    reference: {
      metrics: reference,
      score: dump.scoreQuantiles ?? unknown(REFERENCE_QUANTILES),
      spreads,
    },
    drift: null,
    budget: DEFAULT_BUDGET,
    contamination: dump.contamination,
    thresholds: { surprise: NOT_USED, forest: NOT_USED, score: { ...NOT_USED, info: dump.threshold } },
    hosts: [],
    provenance: {
      name: facts.name,
      version: String(facts.version),
      seed: 0,
      // When it learned is not known; it knows nothing later than this.
      trainedFromMs: importedMs,
      trainedToMs: importedMs,
      rows: 0,
      intervalMs: facts.intervalMs,
      dataSha256: '',
      toolVersion: facts.toolVersion,
    },
  };
}

const MIDDLE = (REFERENCE_QUANTILES - 1) / 2;
/** Quartiles of a normal distribution are 1.349 standard deviations apart. */
const QUARTILES_APART = 1.349;

function spreadOf(quantiles: Float64Array, noiseFloor: number): number {
  const apart = (quantiles[MIDDLE + MIDDLE / 2] as number) - (quantiles[MIDDLE / 2] as number);
  const spread = Math.max(apart / QUARTILES_APART, noiseFloor);
  return spread > 0 ? spread : 1;
}

function notesOf({ source, quantiles, scoreQuantiles, contamination }: ForestDump): string[] {
  const notes = [
    `imported from ${source ?? 'a dump that does not say where it was made'}: data, metrics and time of its training are not known`,
    'alerts come from the score alone: an imported forest has no rules for stuck sensors, constants and ranges',
  ];
  if (contamination === null) notes.push("its threshold is the paper's, not that of a share of known rows");
  if (quantiles === null) {
    notes.push(
      'the dump has no quantiles of its features: a missing value is filled with the mean of the cuts, and alerts do not say what is usual',
    );
  }
  if (scoreQuantiles === null) notes.push('the dump has no quantiles of the score: drift cannot be told');
  return notes;
}
