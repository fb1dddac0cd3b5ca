import Database from 'better-sqlite3';
import type { Model } from '../../core/model.ts';
import { artifactSha256, encodeModel } from '../../models/artifact.ts';
import type { ModelRecord } from '../../models/record.ts';
import { Registry } from '../../models/registry/registry.ts';
import type { Assessment } from '../../models/training/assess.ts';
import { tinyIsolationForest } from './artifacts.ts';
import { modelRecord } from './model-record.ts';

export const ASSESSMENT: Assessment = {
  rows: 120,
  days: 0.5,
  precision: 0.75,
  recall: 0.5,
  f1: 0.6,
  rocAuc: 0.9,
  averagePrecision: 0.7,
  vusPr: 0.65,
  contamination: 0.05,
  alarmsPerDay: 2,
  falseAlarmsPerDay: 0.5,
  events: { segments: 4, found: 2, recall: 0.5, precision: 0.75, f1: 0.6, delayMs: 5000 },
  flaggedShare: 0.01,
  injected: { spike: { faults: 4, caught: 3, recall: 0.75 } },
};

let made: Model | null = null;
/** Fitted once: these tests are about keeping models, not about making them. */
function tiny(): Model {
  made ??= tinyIsolationForest();
  return made;
}

/** A model as version `version` of `name`, and a record that agrees with it. */
export function registrable(
  name: string,
  version: number,
  createdAt: string,
  model: Model = tiny(),
  changes: Partial<ModelRecord> = {},
): { bytes: Buffer; record: ModelRecord } {
  const provenance = { ...model.provenance, name, version: String(version) };
  const bytes = encodeModel({ ...model, provenance });
  const record = modelRecord({
    name,
    version,
    createdAt,
    sha256: artifactSha256(bytes),
    bytes: bytes.length,
    detector: model.detector,
    features: model.schema.map((metric) => metric.name),
    parameters: {
      detector: model.detector,
      trees: 2,
      rowsPerTree: 8,
      windows: null,
      budgetPerDay: 1,
      contamination: null,
    },
    metrics: { validation: ASSESSMENT, test: ASSESSMENT },
    comparedBy: 'injected faults',
    compared: [],
    rows: { read: 120, used: 120, train: 84, validation: 18, test: 18, leftOut: 0 },
    data: {
      files: [
        {
          file: 'week.csv',
          host: 'web-1',
          rows: 120,
          from: '2024-01-01T00:00:00.000Z',
          to: '2024-01-01T00:10:00.000Z',
          violationRate: 0,
        },
      ],
      from: '2024-01-01T00:00:00.000Z',
      to: '2024-01-01T00:10:00.000Z',
      intervalMs: 5000,
      sha256: 'ab'.repeat(32),
    },
    scaler: Object.fromEntries(model.schema.map((metric) => [metric.name, { mean: 10, std: 2 }])),
    seed: 7,
    notes: [],
    toolVersion: 'test',
    durationMs: 12,
    ...changes,
  });
  return { bytes, record };
}

export const NOW_MS = Date.UTC(2026, 0, 2, 3, 4, 5);

export const openTestRegistry = (directory: string, create = true): Registry =>
  Registry.open(directory, {
    create,
    nowMs: () => NOW_MS,
    actor: 'tester@bench',
    openDatabase: (path) => new Database(path),
  });
