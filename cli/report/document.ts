import type { Model } from '../../core/model.ts';
import type { Evaluation } from '../../models/evaluation/evaluation.ts';
import type { GateVerdict } from '../../models/evaluation/gate.ts';

export interface EvaluatedModel {
  readonly model: Model;
  readonly bytes: Uint8Array;
  /** Hex, of the bytes. */
  readonly sha256: string;
  /** The file's path, or `name@version`. */
  readonly shown: string;
  /** As a person named it: `web@production (version 1)`. */
  readonly given: string;
}

/** All that the report of an evaluation, in whichever form, is made of. */
export interface EvaluationReport {
  readonly model: EvaluatedModel;
  readonly against: EvaluatedModel | null;
  readonly evaluation: Evaluation;
  readonly gate: GateVerdict | null;
  readonly seed: number;
}

const iso = (timeMs: number): string => new Date(timeMs).toISOString();

const modelDocument = ({ model, bytes, sha256, shown }: EvaluatedModel) => ({
  reference: shown,
  name: model.provenance.name,
  version: model.provenance.version,
  sha256,
  bytes: bytes.byteLength,
  detector: model.detector,
  features: model.schema.map(({ name }) => name),
  trainedFrom: iso(model.provenance.trainedFromMs),
  trainedTo: iso(model.provenance.trainedToMs),
});

/** What `--json` prints: one document; docs/EVALUATION.md describes it. */
export function reportDocument({ model, against, evaluation, gate, seed }: EvaluationReport) {
  const { comparison, otherMetrics } = evaluation;
  return {
    schemaVersion: 1,
    model: modelDocument(model),
    metrics: evaluation.metrics,
    files: evaluation.files.map(({ fromMs, toMs, ...file }) => ({
      ...file,
      from: iso(fromMs),
      to: iso(toMs),
    })),
    robustness: evaluation.robustness,
    latency: evaluation.latency,
    modelBytes: model.bytes.byteLength,
    contributions: evaluation.contributions.map(({ group, rows, means }) => ({
      group,
      rows,
      means: Object.fromEntries(model.model.schema.map(({ name }, i) => [name, means[i]])),
    })),
    drift: evaluation.drift.map(({ name, distance, missing }) => ({ name, distance, missing })),
    against:
      against === null || comparison === null
        ? null
        : { model: modelDocument(against), metrics: otherMetrics, ...comparison },
    gate,
    seed,
    notes: evaluation.notes,
  };
}
