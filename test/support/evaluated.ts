import { runToEnd } from '../../core/features.ts';
import type { DetectorKind, Model } from '../../core/model.ts';
import { TRAINING_DEFAULTS, trainModel } from '../../core/train.ts';
import type { Recording } from '../../models/data/recording.ts';
import { PROVENANCE, SMALL_SCHEMA, smallSeries } from './series.ts';

const START_MS = 1_700_000_000_000;
const INTERVAL_MS = 60_000;

export function smallModel(detector: DetectorKind, seed = 7): Model {
  const provenance = {
    ...PROVENANCE,
    seed,
    intervalMs: INTERVAL_MS,
    trainedFromMs: START_MS - 3000 * INTERVAL_MS,
    trainedToMs: START_MS - INTERVAL_MS,
  };
  const options = { ...TRAINING_DEFAULTS, detector, isolationForest: { trees: 20, rowsPerTree: 128 } };
  return runToEnd(trainModel(SMALL_SCHEMA, smallSeries(3000, 3), provenance, options));
}

/** Thirty hours with four busy stretches, labelled where asked for. */
export function smallRecording(labelled: boolean, host = 'web-1', rows = 1800): Recording {
  const columns = smallSeries(rows, 21);
  const labels = new Uint8Array(rows);
  for (const at of [0.2, 0.4, 0.6, 0.85].map((share) => Math.round(share * rows))) {
    labels.fill(1, at, at + 15);
    (columns[0] as Float64Array).fill(95, at, at + 12);
  }
  return {
    host,
    names: SMALL_SCHEMA.map(({ name }) => name),
    intervalMs: INTERVAL_MS,
    timesMs: Float64Array.from({ length: rows }, (_, i) => START_MS + i * INTERVAL_MS),
    columns,
    labels: labelled ? labels : null,
    breaks: [],
    rowsRead: rows,
    rowsOutOfOrder: 0,
  };
}
