import type { ModelRecord } from '../../models/record.ts';
import type { Assessment } from '../../models/training/assess.ts';
import type { Candidate } from '../../models/training/candidates.ts';

const assessment = (f1: number): Assessment => ({
  rows: 1000,
  days: 3,
  precision: f1,
  recall: f1,
  f1,
  rocAuc: 0.9,
  averagePrecision: 0.7,
  vusPr: null,
  contamination: 0.01,
  alarmsPerDay: 1,
  falseAlarmsPerDay: 0.5,
  events: { segments: 3, found: 2, recall: 2 / 3, precision: 1, f1: 0.8, delayMs: 5000 },
  flaggedShare: 0.01,
  injected: { spike: { faults: 8, caught: 6, recall: 0.75 } },
});

const candidate = (trees: number): Candidate => ({
  detector: 'metric-forests',
  trees,
  rowsPerTree: 256,
  windows: { short: 15, long: 60 },
  budgetPerDay: 1,
  contamination: null,
});

/** A record as `train` makes one. @param candidates how many were compared */
export function modelRecord(overrides: Partial<ModelRecord> = {}, candidates = 3): ModelRecord {
  const compared = Array.from({ length: candidates }, (_, i) => ({
    parameters: candidate(i + 1),
    objective: i / candidates,
    withinBudget: true,
    validation: assessment(i / candidates),
    fitMs: 10 + i,
  }));
  return {
    name: 'web',
    version: 1,
    createdAt: '2026-01-02T03:04:05.000Z',
    sha256: 'ab'.repeat(32),
    bytes: 5,
    origin: 'trained',
    description: null,
    detector: 'metric-forests',
    features: ['cpu', 'memory', 'network'],
    parameters: candidate(1),
    threshold: {
      by: 'budget',
      triggers: { surprise: { info: 1.5, warning: 2.5, critical: null, provisional: true } },
    },
    metrics: { validation: assessment(0.6), test: assessment(0.5) },
    robustness: [],
    comparedBy: 'labels',
    compared,
    rows: { read: 7000, used: 7000, train: 5000, validation: 1000, test: 1000, leftOut: 0 },
    data: {
      files: [{ file: 'web-1.csv', host: 'web-1', rows: 7000, from: null, to: null, violationRate: 0 }],
      from: '2025-12-01T00:00:00.000Z',
      to: '2026-01-01T00:00:00.000Z',
      intervalMs: 5000,
      sha256: 'cd'.repeat(32),
    },
    split: { train: 0.7, validation: 0.15, test: 0.15 },
    scaler: { cpu: { mean: 1, std: 2 } },
    hosts: [],
    seed: 42,
    notes: ['a note'],
    toolVersion: '0.1.0',
    durationMs: 1234.5,
    ...overrides,
  };
}
