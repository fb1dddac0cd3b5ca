import type { DetectorKind, TriggerThresholds } from '../core/model.ts';
import type { Assessment } from './training/assess.ts';
import type { Candidate } from './training/candidates.ts';
import type { HostReport } from './training/hosts.ts';
import type { Split } from './training/parts.ts';
import type { ComparedCandidate, TrainingResult } from './training/training.ts';

/** A file that a model learned from. */
export interface DataFile {
  readonly file: string;
  readonly host: string;
  readonly rows: number;
  /** ISO 8601; null where it has no rows. */
  readonly from: string | null;
  readonly to: string | null;
  readonly violationRate: number;
}

/**
 * What is known of a model version beside its bytes: what `train --json` prints, what the registry keeps with it for
 * ever, and what the model card, `models diff` and experiment tracking are made of. JSON, so what is not finite is null.
 */
export interface ModelRecord {
  readonly name: string;
  /** 1, 2, … within the name; the registry gives it. */
  readonly version: number;
  /** ISO 8601. */
  readonly createdAt: string;
  /** Hex, of the artifact's bytes. */
  readonly sha256: string;
  readonly bytes: number;
  readonly origin: 'trained' | 'imported';
  /** What it is for and who should know what about it: free text of whoever made it. */
  readonly description: string | null;
  readonly detector: DetectorKind;
  readonly features: readonly string[];
  readonly parameters: Candidate;
  readonly threshold: ThresholdRecord;
  /** null where there was no data to measure with: an imported model. */
  readonly metrics: { readonly validation: Assessment | null; readonly test: Assessment | null };
  /** Empty where it was not measured. */
  readonly robustness: TrainingResult['robustness'];
  readonly comparedBy: TrainingResult['comparedBy'] | null;
  readonly compared: readonly ComparedCandidate[];
  readonly rows: TrainingResult['rows'] | null;
  readonly data: {
    readonly files: readonly DataFile[];
    readonly from: string | null;
    readonly to: string | null;
    readonly intervalMs: number;
    /** Hex, of the values that the model was fitted to. */
    readonly sha256: string;
  };
  readonly split: Split | null;
  readonly scaler: TrainingResult['scaler'];
  readonly hosts: readonly HostReport[];
  readonly seed: number;
  readonly notes: readonly string[];
  readonly toolVersion: string;
  readonly durationMs: number;
}

/** `info`, `warning`, `critical` of each trigger that the model has; null: its history does not bear that rarity. */
export interface ThresholdRecord {
  readonly by: 'budget' | 'contamination';
  readonly triggers: Readonly<Partial<Record<keyof TriggerThresholds, Levels>>>;
}

export interface Levels {
  readonly info: number | null;
  readonly warning: number | null;
  readonly critical: number | null;
  readonly provisional: boolean;
}
