import { type Model, NEVER, type SeverityThresholds } from '../../core/model.ts';
import { artifactSha256, encodeModel } from '../artifact.ts';
import type { DataFile, Levels, ModelRecord, ThresholdRecord } from '../record.ts';
import type { Split } from './parts.ts';
import type { TrainingResult } from './training.ts';

export interface RecordFacts {
  readonly files: readonly DataFile[];
  readonly split: Split;
  readonly description: string | null;
  readonly durationMs: number;
}

/** The artifact of a training as version `version`, and what is known of it. */
export function toRecord(
  result: TrainingResult,
  facts: RecordFacts,
  version: number,
  createdAt: string,
): { readonly bytes: Uint8Array; readonly record: ModelRecord } {
  const { provenance } = result.model;
  const model = { ...result.model, provenance: { ...provenance, version: String(version) } };
  const bytes = encodeModel(model);
  const { files, split, description, durationMs } = facts;
  return {
    bytes,
    record: {
      name: provenance.name,
      version,
      createdAt,
      sha256: artifactSha256(bytes),
      bytes: bytes.length,
      origin: 'trained',
      description,
      detector: model.detector,
      features: model.schema.map(({ name }) => name),
      parameters: result.chosen.parameters,
      threshold: thresholdsOf(model),
      metrics: { validation: result.chosen.validation, test: result.test },
      robustness: result.robustness,
      comparedBy: result.comparedBy,
      compared: result.compared,
      rows: result.rows,
      data: {
        files,
        from: new Date(provenance.trainedFromMs).toISOString(),
        to: new Date(provenance.trainedToMs).toISOString(),
        intervalMs: provenance.intervalMs,
        sha256: provenance.dataSha256,
      },
      split,
      scaler: result.scaler,
      hosts: result.hosts,
      seed: provenance.seed,
      notes: result.notes,
      toolVersion: provenance.toolVersion,
      durationMs,
    },
  };
}

/** The thresholds that decide; those of triggers that the model does not use are left out. */
export function thresholdsOf({ thresholds, contamination }: Model): ThresholdRecord {
  const { surprise, forest, score } = thresholds;
  return contamination === null
    ? { by: 'budget', triggers: { surprise: levels(surprise), forest: levels(forest) } }
    : { by: 'contamination', triggers: { score: levels(score) } };
}

const levels = ({ info, warning, critical, provisional }: SeverityThresholds): Levels => ({
  info: reachable(info),
  warning: reachable(warning),
  critical: reachable(critical),
  provisional,
});

const reachable = (threshold: number): number | null => (threshold < NEVER ? threshold : null);
